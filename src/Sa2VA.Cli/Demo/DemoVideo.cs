using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Cli.Demo;

/// <summary>
/// The demo's video as a live stream: frames go in one by one, and between them objects join by words and by a click, one is corrected
/// by a mask, one leaves.
/// </summary>
/// <param name="terminal">Where it is told what happens.</param>
/// <param name="session">A session that was shown the first frames.</param>
/// <param name="table">Learns of objects that join.</param>
internal sealed class DemoVideo(Terminal terminal, VideoSession session, ObjectTable table)
{
    private const string First = "Please segment the red circle and the blue star.", Later = "Please segment the yellow triangle.";

    /// <summary>Where the ring is when it is clicked at.</summary>
    private static readonly Click OnRing = new(41, 197);

    /// <summary>Where the circle is when it is corrected, in pixels.</summary>
    private static readonly (int X, int Y, int Radius) Circle = (233, 92, 31);

    private readonly Dictionary<int, string> _names = [];

    /// <summary>What objects are called, by their number; those that were shown have no name.</summary>
    public IReadOnlyDictionary<int, string> Names => _names;

    /// <summary>What is asked in the course of it.</summary>
    public static IReadOnlyList<string> Prompts => [First, Later];

    /// <summary>Processes a frame.</summary>
    /// <param name="index">From 0; what happens is tied to the frames of the bundled video.</param>
    /// <param name="frame">Its picture.</param>
    /// <returns>The masks of all objects on it.</returns>
    public async Task<FrameMasks> NextAsync(int index, RgbImage frame)
    {
        if (index == 0) await AskAsync(index, First).ConfigureAwait(false);
        if (index == 12) await AskAsync(index, Later).ConfigureAwait(false);
        if (index == 44)
        {
            Tell(index, "object 1, the star, is removed");
            session.Remove(1);
        }
        FrameMasks masks = session.Next(frame, terminal.Cancellation);
        if (index == 36)
        {
            var click = new VisualPrompt(OnRing);
            int id = session.Follow(click, out masks, terminal.Cancellation);
            table.Add(id, new ShownObject(click, index, Corrects: null));
            Tell(index, FormattableString.Invariant($"a click at {OnRing.X},{OnRing.Y}: object {id} joins"));
        }
        if (index == 40)
        {
            var drawn = new VisualPrompt(Disc(frame.Width, frame.Height));
            masks = session.Correct(0, drawn, terminal.Cancellation);
            table.Add(0, new ShownObject(drawn, index, Corrects: 0));
            Tell(index, "object 0, the circle, lacks a bite and is corrected by a mask drawn around it");
        }
        return masks;
    }

    private static Mask Disc(int width, int height)
    {
        byte[] pixels = new byte[width * height];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int y, int x) = int.DivRem(i, width);
            (x, y) = (x - Circle.X, y - Circle.Y);
            if (x * x + y * y <= Circle.Radius * Circle.Radius) pixels[i] = 1;
        }
        return new Mask(width, height, pixels);
    }

    private async Task AskAsync(int index, string prompt)
    {
        Answer answer = await session.AskAsync(prompt, cancellation: terminal.Cancellation).ConfigureAwait(false);
        table.Add(prompt, answer);
        foreach (AnswerObject o in answer.Objects) _names[o.Id] = AskedFor.Of(o, answer, prompt);
        Tell(index, $"> {prompt}");
        terminal.WriteLine($"            {answer.Text}");
    }

    private void Tell(int index, string what)
    {
        terminal.Progress.Clear();
        terminal.WriteLine(FormattableString.Invariant($"  frame {index,2}: {what}"));
    }
}
