using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>An object on a frame; stays valid after the next frame.</summary>
/// <param name="Id">The object's number.</param>
/// <param name="Mask">Where it is.</param>
/// <param name="Score">Predicted IoU, 0…1.</param>
/// <param name="Present">Probability that it is there, 0…1.</param>
internal readonly record struct SegmentedObject(int Id, Mask Mask, float Score, float Present);

/// <summary>A frame with its masks.</summary>
/// <param name="Index">From 0; 0 for an image.</param>
/// <param name="Source">Name of the file that it came from.</param>
/// <param name="Image">The picture; null if nothing was looked for in it.</param>
/// <param name="Objects">Objects by number.</param>
internal sealed record SegmentedFrame(int Index, string Source, RgbImage? Image, IReadOnlyList<SegmentedObject> Objects);

/// <summary>What a run did.</summary>
/// <param name="Frames">Frames.</param>
/// <param name="Objects">Objects over all answers.</param>
/// <param name="PromptSeconds">From opening the session to the last answer; for an image its masks are part of it.</param>
/// <param name="FirstMaskSeconds">From opening the session to the first mask; null without one.</param>
internal sealed record SegmentSummary(int Frames, int Objects, double PromptSeconds, double? FirstMaskSeconds);

/// <summary>
/// Asks about an image or a video and gives the masks of every frame as soon as they are there. Holds one frame at a time.
/// </summary>
internal sealed class SegmentRun(Terminal terminal, Sa2VAModel model, MediaInput media)
{
    /// <summary>Told each complete answer with its question's number.</summary>
    public Action<int, Answer>? OnAnswer { get; init; }

    /// <summary>Told each frame, in order.</summary>
    public required Action<SegmentedFrame> OnFrame { get; init; }

    /// <summary>Runs it.</summary>
    /// <param name="prompts">Questions, each about the same picture anew.</param>
    /// <param name="regions">Regions that they speak of.</param>
    public async Task<SegmentSummary> RunAsync(IReadOnlyList<string> prompts, IReadOnlyList<Mask> regions)
    {
        long start = Stopwatch.GetTimestamp();
        double? firstMask = null;
        using ChatSession session = media.OpenSession(model);
        var objects = new List<AnswerObject>();
        for (int i = 0; i < prompts.Count; i++)
        {
            var options = new AskOptions { Regions = regions, Progress = new Reports<AskProgress>(terminal.Show) };
            Answer answer = session.Ask(prompts[i], options, terminal.Cancellation);
            objects.AddRange(answer.Objects);
            if (media.Image is not null && answer.Objects.Count > 0) firstMask ??= Seconds();
            terminal.Progress.Clear();
            foreach (string note in model.Config.Notes.Concat(answer.Notes)) media.Notes.Add(note);
            if (answer.Truncated)
                media.Notes.Add($"The answer to {Quoted.Of(prompts[i])} was cut off after {Plural.Of(answer.TokenIds.Count, "token")}.");
            media.Notes.Tell();
            OnAnswer?.Invoke(i, answer);
        }
        double prompted = Seconds();

        if (media.Image is not null)
            OnFrame(new SegmentedFrame(0, media.FrameName(0), media.Image, [.. objects.Select(o => Copy(o.Mask!))]));
        else if (objects.Count == 0)
            // Nothing to look for: the frames need not be read.
            for (int i = 0; i < media.Frames; i++) OnFrame(new SegmentedFrame(i, media.FrameName(i), null, []));
        else
        {
            int index = 0;
            await foreach (RgbImage image in media.Video!.Frames(media.Frames, terminal.Cancellation).ConfigureAwait(false))
            {
                FrameMasks masks = Next((VideoSession)session, image, index);
                firstMask ??= Seconds();
                OnFrame(new SegmentedFrame(index, media.FrameName(index), image, [.. masks.Objects.Select(Copy)]));
                index++;
                terminal.Progress.Count("Segmenting", "frames", index, media.Frames);
            }
            terminal.Progress.Clear();
        }
        return new SegmentSummary(media.Frames, objects.Count, prompted, firstMask);

        double Seconds() => Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private FrameMasks Next(VideoSession session, RgbImage image, int index)
    {
        try
        {
            return session.Next(image, terminal.Cancellation);
        }
        catch (MediaException e)
        {
            throw new MediaException($"{media.Source}, frame {index}: {e.Message}", e);
        }
    }

    private static SegmentedObject Copy(ObjectMask o) => new(o.Id, o.ToMask(), o.Score, o.Present);
}

/// <summary>A question's progress on the terminal.</summary>
internal static class AskProgressLine
{
    /// <summary>Shows how far a question is.</summary>
    public static void Show(this Terminal terminal, AskProgress p)
    {
        (string what, string unit) = p.Stage switch
        {
            AskStage.Vision => ("Looking", "tiles"),
            AskStage.Prefill => ("Reading the prompt", "tokens"),
            AskStage.Decode => ("Answering", "tokens"),
            _ => ("Segmenting", "objects"),
        };
        terminal.Progress.Count(what, unit, p.Done, p.Total);
    }
}
