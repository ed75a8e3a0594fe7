using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>An object that is shown on a picture by clicks and a box.</summary>
/// <param name="Prompt">Where it is.</param>
/// <param name="Frame">On which frame of a video; 0 on an image.</param>
/// <param name="Corrects">The object of the answers that is meant; null for one of its own.</param>
internal sealed record ShownObject(VisualPrompt Prompt, int Frame, int? Corrects)
{
    /// <summary>As it would be asked for on a command line.</summary>
    public string Text => string.Join(' ',
    [
        .. Prompt.Clicks.Select(c => $"--point {Pixels.Text(c.X)},{Pixels.Text(c.Y)},{(c.Inside ? '+' : '-')}"),
        .. Prompt.Box is { } b ? [$"--box {Pixels.Text(b.Left)},{Pixels.Text(b.Top)},{Pixels.Text(b.Right)},{Pixels.Text(b.Bottom)}"]
            : (string[])[],
        .. Frame > 0 ? [FormattableString.Invariant($"--at {Frame}")] : (string[])[],
        .. Corrects is { } id ? [FormattableString.Invariant($"--correct {id}")] : (string[])[],
    ]);
}

/// <summary>The options that show an object instead of naming it, or beside; a command makes its own.</summary>
internal sealed class ShowFlags
{
    private readonly ClickListOption _points = new("--point",
        "A pixel of the object, or with - one that is not part of it; may be given several times, all for one object.");

    private readonly BoxOption _box = new("--box", "A rectangle around the object, in pixels; alone or with points.");
    private readonly NumberOption _at = new("--at",
        "The video's frame, from 0, that points and box are on, and that --direction backward and both begin on.", 0, int.MaxValue, 0);


    private readonly NumberOption _correct = new("--correct",
        "Points and box correct this object of the answers, by its number, instead of showing one of their own.", 0, int.MaxValue);

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [_points, _box, _at, _correct];

    /// <summary>Those that say where it is, for a command that has one picture to show it on.</summary>
    public IReadOnlyList<Option> Places => [_points, _box];

    /// <summary>Where it is; null if nothing is shown.</summary>
    public VisualPrompt? Prompt(ParseResult values) =>
        Any(values) ? new VisualPrompt(values.GetValue(_points) ?? [], values.GetValue(_box)) : null;

    /// <summary>True if something is shown.</summary>
    public bool Any(ParseResult values) => ArgumentReader.Has(values, _points) || ArgumentReader.Has(values, _box);

    /// <summary>The frame that was given; null for none.</summary>
    public int? At(ParseResult values) => ArgumentReader.Has(values, _at) ? values.GetValue(_at) : null;

    /// <summary>Refuses options that do not go together.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="isVideo">True if there is a video to show it on.</param>
    /// <param name="asks">True if something is also asked for in words.</param>
    /// <param name="begins">True if the frame is also that which following begins on.</param>
    public void Check(ParseResult values, bool isVideo, bool asks, bool begins)
    {
        bool corrects = ArgumentReader.Has(values, _correct), hasFrame = ArgumentReader.Has(values, _at) && !begins;
        if (!Any(values) && (corrects || hasFrame))
            throw new UsageException($"{(corrects ? _correct.Name : _at.Name)} belongs to --point or --box.");
        if (corrects && !asks) throw new UsageException("--correct belongs to --prompt: it corrects what an answer names.");
        if (ArgumentReader.Has(values, _at) && !isVideo) throw new UsageException("--at belongs to --video.");
    }

    /// <summary>What is shown; null if nothing is.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="media">The picture or video that it is shown on.</param>
    /// <exception cref="UsageException">There is no such frame.</exception>
    /// <exception cref="Sa2VA.Core.PromptException">A place is outside the picture.</exception>
    public ShownObject? Of(ParseResult values, MediaInput media)
    {
        int frame = values.GetValue(_at);
        if (frame >= media.Frames)
            throw new UsageException(FormattableString.Invariant($"--at {frame}: the video has frames 0 to {media.Frames - 1}."));
        if (Prompt(values) is not { } prompt) return null;
        prompt.Check(media.Width, media.Height);
        return new ShownObject(prompt, frame, ArgumentReader.Has(values, _correct) ? values.GetValue(_correct) : null);
    }
}
