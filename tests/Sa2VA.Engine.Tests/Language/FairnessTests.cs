using Sa2VA.Core;
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
    public async Task A_frame_waits_for_no_more_than_the_step_or_the_chunk_in_progress()
    {
        // Without patience's end, so that a slow machine does not let anything slip in.
        var timeline = new Timeline();
        var device = new WatchedDevice(new CpuDevice { Threads = 2, Patience = TimeSpan.FromHours(1) }) { Timeline = timeline };
        using Sa2VAModel model = Shapes.Load(device);
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
        // Behind a frame's last run comes the read of its masks: by then all of the frame is enqueued.
        double enqueued = 0;
        device.Reading = buffer => enqueued = buffer == "mask output" ? timeline.Now : enqueued;
        List<string> beside = [];
        for (int f = 8; f < 40; f++)
        {
            int before = Volatile.Read(ref tokens);
            timeline.Take();
            stream.Next(Shapes.Clip[f], Cancellation);
            // The step in progress is noted when it has ended.
            SpinWait.SpinUntil(() => Volatile.Read(ref tokens) > before + 2 || answer.End.IsCompleted);
            IReadOnlyList<TimedKernel> kernels = timeline.Take();
            double end = kernels.Where(k => k.Graph == "mask output").Max(k => k.Start + k.Seconds);
            List<(string Graph, double Start, double End)> runs = LanguageRuns(kernels);
            List<(string Graph, double Start, double End)> delaying = [.. runs.Where(r => r.Start < end && r.End > enqueued)];
            Assert.True(delaying.Count <= 1,
                $"Frame {f} was enqueued at {enqueued} and ended at {end}, beside {string.Join(", ", delaying)}.");
            beside.AddRange(delaying.Select(r => r.Graph));
        }
        enough.Cancel();
        await ((Task)answer.End).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await prompts;
        Assert.NotEmpty(beside);
        Assert.True(tokens > 30, $"The chat got {tokens} tokens.");
    }

    /// <summary>From when to when each step and each chunk took; an op comes once in a run.</summary>
    private static List<(string Graph, double Start, double End)> LanguageRuns(IEnumerable<TimedKernel> kernels)
    {
        List<(string Graph, double Start, double End)> runs = [];
        HashSet<Op> ops = [];
        foreach (TimedKernel kernel in kernels.Where(k => k.Queue == "language" && k.Op is not null))
        {
            if (runs.Count == 0 || runs[^1].Graph != kernel.Graph || !ops.Add(kernel.Op!))
            {
                ops = [kernel.Op!];
                runs.Add((kernel.Graph, kernel.Start, 0));
            }
            runs[^1] = runs[^1] with { End = kernel.Start + kernel.Seconds };
        }
        return runs;
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
