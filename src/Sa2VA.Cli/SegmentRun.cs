using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>An object on a frame; stays valid after the next frame.</summary>
/// <param name="Id">The object's number.</param>
/// <param name="Mask">Where it is.</param>
/// <param name="Score">Predicted IoU, 0…1.</param>
/// <param name="Present">Probability that it is there, 0…1.</param>
/// <param name="Phrase">What it is called; null if there are no words.</param>
/// <param name="Result">What the model gave, with its logits; null where that is not held.</param>
internal readonly record struct SegmentedObject(int Id, Mask Mask, float Score, float Present, string? Phrase, ObjectMask? Result = null)
{
    /// <summary>As the model gave it.</summary>
    public static SegmentedObject Of(ObjectMask result, string? phrase) =>
        new(result.Id, result.ToMask(), result.Score, result.Present, phrase, result);

    /// <summary>As it is written and drawn.</summary>
    public ObjectResult ToResult() => new(Id, Mask) { Phrase = Phrase, Score = Score };
}

/// <summary>A frame with its masks.</summary>
/// <param name="Index">From 0; 0 for an image.</param>
/// <param name="Source">Name of the file that it came from.</param>
/// <param name="Image">The picture; null if nothing was looked for in it.</param>
/// <param name="Objects">Objects by number.</param>
internal sealed record SegmentedFrame(int Index, string Source, RgbImage? Image, IReadOnlyList<SegmentedObject> Objects)
{
    /// <summary>When it is shown, or was taken, counted from the start; null where that is not known.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>Objects whose masks were left out for their scores.</summary>
    public IReadOnlyList<int> LeftOut { get; init; } = [];
}

/// <summary>What a run did.</summary>
/// <param name="Frames">Frames.</param>
/// <param name="Objects">Objects over all answers, and those that were shown.</param>
/// <param name="Dropped">Masks that were left out for their score.</param>
/// <param name="PromptSeconds">From opening the session to the last answer; for an image its masks are part of it.</param>
/// <param name="FirstMaskSeconds">From opening the session to the first mask; null without one.</param>
/// <param name="NotFound">Objects whose masks were all empty or had low scores.</param>
internal sealed record SegmentSummary(
    int Frames, int Objects, int Dropped, double PromptSeconds, double? FirstMaskSeconds, IReadOnlyList<int> NotFound);

/// <summary>
/// Asks about an image or a video and gives the masks of every frame as soon as they are there. Holds one frame at a time.
/// </summary>
internal sealed class SegmentRun(Terminal terminal, Sa2VAModel model, MediaInput media)
{
    /// <summary>Masks of a lower score are left out.</summary>
    public float MinScore { get; init; }

    /// <summary>Told each complete answer with its question's number.</summary>
    public Action<int, Answer>? OnAnswer { get; init; }

    /// <summary>Told the number of an object that was shown, before the frame that it was shown on.</summary>
    public Action<int, ShownObject>? OnShown { get; init; }

    /// <summary>How a recorded video is followed; null for a video as a stream, and for an image.</summary>
    public RecordedOptions? Recorded { get; init; }

    /// <summary>True to keep the logits of masks.</summary>
    public bool Logits { get; init; }

    /// <summary>True where an object that no phrase names is called what the question asks for.</summary>
    public bool QuestionNames { get; init; } = true;

    /// <summary>True where an answer that shows nothing is worth a note.</summary>
    public bool NotesNothingFound { get; init; }

    /// <summary>How answers are made.</summary>
    public AskOptions Ask { get; init; } = new();

    /// <summary>True where notes have to say which picture they are about.</summary>
    public bool NamesPicture { get; init; }

    /// <summary>Told each frame, in order.</summary>
    public required Action<SegmentedFrame> OnFrame { get; init; }

    /// <summary>Runs it.</summary>
    /// <param name="prompts">Questions, each about the same picture anew.</param>
    /// <param name="regions">Regions that they speak of.</param>
    /// <param name="shown">An object that is shown instead of named, or beside; null for none.</param>
    public async Task<SegmentSummary> RunAsync(IReadOnlyList<string> prompts, IReadOnlyList<Mask> regions, ShownObject? shown = null)
    {
        long start = Stopwatch.GetTimestamp();
        double? firstMask = null;
        int dropped = 0, index = 0;
        var pictures = new LatestPicture(i => media.Video!.Read(i));
        var within = new Reports<double>(part => terminal.Progress.Count("Segmenting", "frames", index + part, media.Frames));
        using ChatSession session = Recorded is null ? media.OpenSession(model, Logits, within)
            : model.OpenRecorded(media.Frames, pictures.Read,
                Recorded with { LanguageFrames = media.Selection, Logits = Logits }, terminal.Cancellation);
        var objects = new List<AnswerObject>();
        var phrases = new Dictionary<int, string?>();
        var answers = new List<Answer>();
        var seen = new Sightings();
        for (int i = 0; i < prompts.Count; i++)
        {
            AskOptions options = Ask with { Regions = regions, Logits = Logits, Progress = new Reports<AskProgress>(terminal.Show) };
            Answer answer = session.Ask(prompts[i], options, terminal.Cancellation);
            answers.Add(answer);
            objects.AddRange(answer.Objects);
            foreach (AnswerObject o in answer.Objects) phrases[o.Id] = QuestionNames ? AskedFor.Of(o, answer, prompts[i]) : o.Phrase;
            if (session is ImageSession && answer.Objects.Count > 0) firstMask ??= Seconds();
            terminal.Progress.Clear();
            foreach (string note in model.Config.Notes.Concat(answer.Notes)) media.Notes.Add(note);
            if (answer.Truncated) media.Notes.Add($"The answer to {Quoted.Of(prompts[i])} {AskFlags.CutOff(answer, Ask)}");
            // That an object to be corrected is named by no answer is an error, told below.
            if (NotesNothingFound && !answer.Found && (shown?.Corrects is null || answer.Objects.Count > 0))
                media.Notes.Add(NothingFound.In(answer, prompts[i], NamesPicture ? media.FrameName(0) : null));
            media.Notes.Tell();
            OnAnswer?.Invoke(i, answer);
        }
        if (shown?.Corrects is { } id && objects.All(o => o.Id != id))
            throw new UsageException(FormattableString.Invariant($"--correct {id}: ") + (objects.Count == 0 ? "no answer names an object."
                : $"the answers name {Plural.Of(objects.Count, "object")}, numbered from 0."));
        double prompted = Seconds();
        int count = objects.Count + (shown is { Corrects: null } ? 1 : 0);

        if (session is ImageSession image)
        {
            List<ObjectMask> masks = [.. objects.Select(o => o.Mask!)];
            if (shown is not null) Show(image, shown, masks);
            if (masks.Count > 0) firstMask ??= Seconds();
            OnFrame(new SegmentedFrame(0, media.FrameName(0), media.Image, Copies(masks)) { LeftOut = LeftOut(masks) });
        }
        else if (count == 0)
            // Nothing to look for: the frames need not be read.
            for (int i = 0; i < media.Frames; i++) OnFrame(new SegmentedFrame(i, media.FrameName(i), null, []));
        else if (session is RecordedSession recorded)
        {
            if (shown is not null) Show(recorded, shown);
            var order = new FramesInOrder(media, pictures, OnFrame);
            int done = 0;
            // Frames that objects are prompted on are counted too.
            var progress = new Reports<TrackProgress>(p => terminal.Progress.Count("Segmenting", "frames", p.Done + p.Part, p.Total));
            await foreach (FrameMasks masks in recorded.TrackAsync(progress, terminal.Cancellation).ConfigureAwait(false))
            {
                firstMask ??= Seconds();
                order.Add((int)masks.Frame, Copies(masks.Objects), LeftOut(masks.Objects), isBack: done++ < recorded.BackwardFrames);
            }
            terminal.Progress.Clear();
            order.End();
        }
        else
        {
            await foreach (RgbImage frame in media.Video!.Frames(media.Frames, terminal.Cancellation).ConfigureAwait(false))
            {
                // Before something is shown where nothing was named, there is nothing to look for.
                FrameMasks? masks = objects.Count > 0 || index >= shown!.Frame ? Next((VideoSession)session, frame, index) : null;
                if (index == shown?.Frame) masks = Show((VideoSession)session, shown);
                if (masks is { Objects.Count: > 0 }) firstMask ??= Seconds();
                OnFrame(new SegmentedFrame(index, media.FrameName(index), frame, Copies(masks?.Objects ?? []))
                {
                    Time = media.Video.Time(index), LeftOut = LeftOut(masks?.Objects ?? []),
                });
                index++;
                terminal.Progress.Count("Segmenting", "frames", index, media.Frames);
            }
            terminal.Progress.Clear();
        }
        if (session is not ImageSession && NotesNothingFound)
            for (int i = 0; i < prompts.Count; i++)
                if (seen.NoteOn(prompts[i], answers[i]) is { } note) media.Notes.Add(note);
        // What was shown without being named has the one number that no answer has.
        foreach (int shownId in seen.NotFound.Except(objects.Select(o => o.Id)))
            if (NotesNothingFound && seen.NoteOnShown(shownId, session is not ImageSession) is { } note) media.Notes.Add(note);
        media.Notes.Tell();
        return new SegmentSummary(media.Frames, count, dropped, prompted, firstMask, [.. seen.NotFound]);

        double Seconds() => Stopwatch.GetElapsedTime(start).TotalSeconds;

        int[] LeftOut(IReadOnlyList<ObjectMask> masks) => [.. masks.Where(m => m.Score < MinScore).Select(m => m.Id)];

        List<SegmentedObject> Copies(IReadOnlyList<ObjectMask> masks)
        {
            seen.Add(masks);
            List<SegmentedObject> kept = [.. masks.Where(m => m.Score >= MinScore)
                .Select(o => SegmentedObject.Of(o, phrases.GetValueOrDefault(o.Id)))];
            dropped += masks.Count - kept.Count;
            return kept;
        }
    }

    private void Show(ImageSession session, ShownObject shown, List<ObjectMask> masks)
    {
        ObjectMask mask = shown.Corrects is { } id ? session.Correct(id, shown.Prompt, Logits, terminal.Cancellation)
            : session.Segment(shown.Prompt, Logits, terminal.Cancellation);
        int known = masks.FindIndex(m => m.Id == mask.Id);
        if (known >= 0) masks[known] = mask;
        else masks.Add(mask);
        OnShown?.Invoke(mask.Id, shown);
    }

    private void Show(RecordedSession session, ShownObject shown)
    {
        if (shown.Corrects is { } known) session.Correct(known, shown.Frame, shown.Prompt);
        OnShown?.Invoke(shown.Corrects ?? session.Follow(shown.Frame, shown.Prompt), shown);
    }

    private FrameMasks Show(VideoSession session, ShownObject shown)
    {
        FrameMasks? masks = null;
        int id = shown.Corrects ?? session.Follow(shown.Prompt, out masks, terminal.Cancellation);
        masks ??= session.Correct(id, shown.Prompt, terminal.Cancellation);
        OnShown?.Invoke(id, shown);
        return masks;
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
            AskStage.Features => ("Looking closely", "pictures"),
            _ => ("Segmenting", "objects"),
        };
        // A share of a token is none.
        terminal.Progress.Count(what, unit, unit == "tokens" ? p.Done + Math.Floor(p.Part) : p.Amount, p.Total);
    }
}
