using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What a user of sessions waits for, measured through the scheduler and the queues that sessions use.</summary>
/// <param name="Work">What one run does, for people.</param>
/// <param name="Run">Does it.</param>
/// <param name="Close">Frees what it held.</param>
internal sealed record SessionStage(string Work, Action Run, Action Close);

/// <summary>
/// First tokens of answers, with and without a shared beginning, and frames of a stream, with and without a chat beside it.
/// </summary>
internal static class SessionStages
{
    private const int PromptTokens = 1100, OwnTokens = 28;

    /// <summary>Names in the order of use.</summary>
    public static readonly IReadOnlyDictionary<string, Func<SessionBench, SessionStage>> All =
        new OrderedDictionary<string, Func<SessionBench, SessionStage>>
        {
            ["first-token"] = bench => FirstToken(bench, shared: false),
            ["first-token-shared"] = bench => FirstToken(bench, shared: true),
            ["frame"] = bench => Frame(bench, chat: false),
            ["frame-beside-chat"] = bench => Frame(bench, chat: true),
        };

    private static SessionStage FirstToken(SessionBench bench, bool shared)
    {
        LanguageModel model = bench.Language();
        int tokens = Math.Min(PromptTokens, model.Config.MaxPositions - 2), own = Math.Min(OwnTokens, tokens / 2);
        int[] prompt = Ids(model, tokens, 1);
        var kept = new Conversation(model, null);
        if (shared) Answer(model, kept, prompt, 1, bench.Cancellation).End.Wait(bench.Cancellation);
        int seed = 2;
        return new($"prompt of {tokens} tokens{(shared ? $", all but {own} known from another session" : "")}", () =>
        {
            int[] asked = [.. prompt[..(tokens - own)], .. Ids(model, own, seed++)];
            using var conversation = new Conversation(model, null);
            Answer(model, conversation, asked, 1, bench.Cancellation).End.Wait(bench.Cancellation);
        }, () =>
        {
            kept.Dispose();
            model.Dispose();
        });
    }

    private static SessionStage Frame(SessionBench bench, bool chat)
    {
        var segmentation = new SegmentationModel(bench.Backend, bench.Weights, bench.Config.Grounding, cancellation: bench.Cancellation);
        LanguageModel language = bench.Language();
        var stream = new VideoSegmentation(segmentation);
        var random = new Random(1);
        var seg = new float[bench.Config.Grounding.DModel];
        for (int i = 0; i < seg.Length; i++) seg[i] = random.NextSingle() * 2 - 1;
        stream.Add(new ObjectPrompt(segmentation, seg), conditioningFrames: 1, bench.Cancellation);
        var frame = new byte[bench.Config.Grounding.ImageSize * bench.Config.Grounding.ImageSize * 3];
        random.NextBytes(frame);
        // The first one is prompted.
        stream.Step(frame, cancellation: bench.Cancellation);

        var enough = CancellationTokenSource.CreateLinkedTokenSource(bench.Cancellation);
        var conversation = new Conversation(language, null);
        Turn? talking = null;
        if (chat)
        {
            int most = language.Config.MaxPositions;
            talking = Answer(language, conversation, Ids(language, Math.Min(64, most / 2), 1), most / 2, enough.Token);
        }
        return new($"one object{(chat ? ", beside a chat that decodes all the time" : "")}",
            () => stream.Step(frame, cancellation: bench.Cancellation), () =>
            {
                enough.Cancel();
                talking?.End.ContinueWith(_ => { }, TaskContinuationOptions.ExecuteSynchronously).Wait();
                stream.Dispose();
                conversation.Dispose();
                language.Dispose();
                segmentation.Dispose();
            });
    }

    private static Turn Answer(LanguageModel model, Conversation conversation, int[] prompt, int tokens, CancellationToken cancellation)
    {
        conversation.Begin(prompt);
        var turn = new Turn(conversation, prompt, tokens, _ => AfterToken.GoOn, cancellation);
        model.Scheduler.Add(turn);
        return turn;
    }

    private static int[] Ids(LanguageModel model, int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Math.Min(model.Config.VocabularySize, 50000)))];
    }
}

/// <summary>What session stages are made of.</summary>
/// <param name="Backend">Device.</param>
/// <param name="Weights">Checkpoint.</param>
/// <param name="Config">Sizes.</param>
/// <param name="Cancellation">Stops between two ops.</param>
internal sealed record SessionBench(IBackend Backend, IWeightSource Weights, Sa2VAConfig Config, CancellationToken Cancellation)
{
    public LanguageModel Language() =>
        new(Backend, Weights, Config.Language, Config.Family.MaxImageRows(Config), cancellation: Cancellation);
}
