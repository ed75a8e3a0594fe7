using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>Chats and streams of one model: neither holds up the other for longer than is said.</summary>
public sealed class FairnessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_frame_waits_for_no_more_than_the_step_and_the_chunk_in_progress()
    {
        // Without patience's end, so that a slow machine does not let anything slip in.
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2, Patience = TimeSpan.FromHours(1) });
        using VideoSession stream = model.OpenVideo(Shapes.Clip[..3]);
        stream.Ask("Please segment the red circle and the blue star.", cancellation: Cancellation);
        for (int f = 0; f < 8; f++) stream.Next(Shapes.Clip[f], Cancellation);

        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        int tokens = 0, chunks = 0;
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        // A long answer, and one prompt after another beside it.
        Turn answer = NewTurn(model, prompt, 3_000, () => Interlocked.Increment(ref tokens), null, enough.Token);
        model.LanguageModel.Scheduler.Add(answer);
        Task prompts = Task.Run(async () =>
        {
            for (int i = 0; !enough.IsCancellationRequested; i++)
            {
                int[] other = [.. Enumerable.Range(0, 700).Select(j => prompt[(i + j * 7) % prompt.Length])];
                Turn turn = NewTurn(model, other, 1, () => { }, () => Interlocked.Increment(ref chunks), enough.Token);
                model.LanguageModel.Scheduler.Add(turn);
                await ((Task)turn.End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                turn.Conversation.Dispose();
            }
        }, Cancellation);
        SpinWait.SpinUntil(() => Volatile.Read(ref tokens) > 5 && Volatile.Read(ref chunks) > 2);
        List<int> tokensOfFrame = [], chunksOfFrame = [];
        for (int f = 8; f < 40; f++)
        {
            (int tokensBefore, int chunksBefore) = (Volatile.Read(ref tokens), Volatile.Read(ref chunks));
            stream.Next(Shapes.Clip[f], Cancellation);
            tokensOfFrame.Add(Volatile.Read(ref tokens) - tokensBefore);
            chunksOfFrame.Add(Volatile.Read(ref chunks) - chunksBefore);
            Thread.Sleep(5);
        }
        enough.Cancel();
        await ((Task)answer.End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await prompts;
        // One of each may have been done and not yet told when the frame came, one may be told between its end and the look at the counter,
        // and more where this thread had to wait for that look: so the usual frame is looked at.
        Assert.InRange(tokensOfFrame.Order().ElementAt(tokensOfFrame.Count / 2), 0, 3);
        Assert.InRange(chunksOfFrame.Order().ElementAt(chunksOfFrame.Count / 2), 0, 3);
        Assert.True(tokens > 30, $"The chat got {tokens} tokens.");
    }

    [Fact]
    public async Task A_chat_goes_on_beside_a_stream_that_never_rests()
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2, Patience = TimeSpan.FromMilliseconds(2) });
        using VideoSession stream = model.OpenVideo(Shapes.Clip[..3]);
        stream.Ask("Please segment the red circle.", cancellation: Cancellation);
        using var enough = new CancellationTokenSource();
        Task frames = Task.Run(() =>
        {
            for (int f = 0; !enough.IsCancellationRequested; f++) stream.Next(Shapes.Clip[f % 48], Cancellation);
        }, Cancellation);
        using TextSession chat = model.OpenText();
        Answer answer = await chat.AskAsync("What can you do?", cancellation: Cancellation);
        enough.Cancel();
        await frames;
        Assert.Equal(Shapes.Case("text-what").Prediction, answer.Raw);
    }

    [Fact]
    public async Task Many_sessions_ask_at_once_and_no_thread_waits_for_them()
    {
        using Sa2VAModel model = Shapes.Load();
        string[] names = ["text-hello", "text-what", "image-red-circle", "image-three-seg", "follow-up-first"];
        var alone = new Dictionary<string, string>();
        foreach (string name in names)
        {
            using ChatSession session = Open(model, name);
            alone[name] = Shapes.Fingerprint(session.Ask(Shapes.Case(name).Prompt, new AskOptions { Logits = true }, Cancellation));
        }
        ChatSession[] sessions = [.. Enumerable.Range(0, 20).Select(i => Open(model, names[i % names.Length]))];
        Task<Answer>[] answers = [.. sessions.Select((s, i) =>
            s.AskAsync(Shapes.Case(names[i % names.Length]).Prompt, new AskOptions { Logits = true }, Cancellation))];
        // Somebody who leaves in the middle changes nothing for the others.
        using var leaving = new CancellationTokenSource();
        using TextSession left = model.OpenText();
        Task<Answer> never = left.AskAsync("What can you do?", cancellation: leaving.Token);
        leaving.CancelAfter(3);
        for (int i = 0; i < answers.Length; i++) Assert.Equal(alone[names[i % names.Length]], Shapes.Fingerprint(await answers[i]));
        await ((Task)never).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        foreach (ChatSession session in sessions) session.Dispose();
        left.Dispose();
        Shapes.Held(model);
        Assert.Equal(0, model.LanguageModel.Pages.HeldPages);
    }

    private static ChatSession Open(Sa2VAModel model, string name) => Shapes.Case(name).Image is { } image
        ? model.OpenImage(Shapes.Image(Path.GetFileName(image)))
        : model.OpenText();

    private static Turn NewTurn(Sa2VAModel model, int[] prompt, int maxNewTokens, Action onToken, Action? onChunk,
        CancellationToken cancellation)
    {
        var conversation = new Conversation(model.LanguageModel, null);
        conversation.Begin(prompt);
        return new Turn(conversation, prompt, maxNewTokens, _ =>
        {
            onToken();
            return AfterToken.GoOn;
        }, cancellation) { OnPrefilled = onChunk is null ? null : _ => onChunk() };
    }
}
