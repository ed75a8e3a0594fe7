using Sa2VA.Engine.Tracking;

namespace Sa2VA.Engine;

internal sealed partial class ObjectStream
{
    /// <summary>Counts what the stream began anew.</summary>
    public int Life { get; private set; }

    /// <summary>Frames in a row, up to the newest, on which an object that words named is lost.</summary>
    public long LostFrames { get; private set; }

    /// <summary>What is to be asked again: what named the objects, in their order, and what is asked in any case.</summary>
    public IReadOnlyList<AskedWords> WordsToAsk(ReAskOptions options) =>
        [.. _named.Select(o => o.Words).OfType<AskedWords>().Concat(InAnyCase(options)).Distinct()];

    /// <summary>Compares what words name now with the objects, on the newest frame.</summary>
    /// <param name="answers">What was answered.</param>
    /// <param name="options">Choices.</param>
    /// <param name="conditioning">Next frames of what is named, that carry the prompt.</param>
    /// <param name="number">Gives the number of a new object, once nothing can fail any more.</param>
    /// <param name="cancellation">Stops between two ops; nothing has then changed.</param>
    public ReAskResult ReAsk(IReadOnlyList<Answer> answers, ReAskOptions options, int conditioning, Func<int> number,
        CancellationToken cancellation)
    {
        // Words may have lost their last object meanwhile, which was removed: nobody wants it back.
        IReadOnlyList<AskedWords> wanted = WordsToAsk(options);
        AnswerObject[] answered = [.. answers.SelectMany(a => a.Objects).Where(o => o.Words is { } words && wanted.Contains(words))];
        ObjectPrompt[] prompts = [.. answered.Select(o => new ObjectPrompt(_model, o.Embedding.Span))];
        IReadOnlyList<SeenMask> seen = Video.Look(prompts, cancellation);
        var comparison = new ReAskComparison(_named, Video.Seen(), options, _maxObjects);
        for (int i = 0; i < answered.Length; i++) comparison.Add(answered[i], seen[i]);

        var again = new List<PromptedFrame>();
        var joining = new List<ObjectTrack>();
        try
        {
            foreach ((_, AnswerObject o) in comparison.FoundAgain)
                again.Add(new PromptedFrame(_model, PromptOf(o), memory: null, cancellation));
            foreach (AnswerObject o in comparison.Newcomers) joining.Add(new ObjectTrack(_model, PromptOf(o), conditioning, cancellation));
        }
        catch
        {
            foreach (PromptedFrame prompted in again) prompted.Dispose();
            foreach (ObjectTrack track in joining) track.Dispose();
            throw;
        }
        for (int i = 0; i < again.Count; i++) Video.NameAgain(comparison.FoundAgain[i].Index, again[i], conditioning);
        int[] foundAgain = [.. comparison.FoundAgain.Select(f => _named[f.Index].Id)];
        int[] known = [.. comparison.Known.Select(i => _named[i].Id)];
        NamedObject[] newcomers = [.. comparison.Newcomers.Select(o => NamedObject.Of(o, number(), o.Words!.Options.Logits))];
        Join(joining, newcomers);
        return new ReAskResult(Frames - 1, answers, known, foundAgain, [.. newcomers.Select(o => o.Id)]);

        ObjectPrompt PromptOf(AnswerObject o) => prompts[Array.IndexOf(answered, o)];
    }

    private static IEnumerable<AskedWords> InAnyCase(ReAskOptions options) =>
        options.Questions.Select(q => AskedWords.Of(q, new AskOptions(), null));
}
