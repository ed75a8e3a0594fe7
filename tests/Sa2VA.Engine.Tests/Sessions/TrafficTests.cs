using Sa2VA.Engine;
using Sa2VA.Engine.Language;

namespace Sa2VA.Tests.Sessions;

/// <summary>What crosses between host and device, counted: the referee of who waits for whom.</summary>
public sealed class TrafficTests
{
    private readonly WatchedDevice _device = new();
    private readonly List<string> _log = [];

    [Fact]
    public async Task A_token_costs_one_run_and_one_read_one_step_behind()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        Watch();
        int seen = 0;
        var turn = NewTurn(model, [.. Shapes.Case("text-what").PromptIds], 20, _ =>
        {
            // The step that consumes a token is enqueued before the token is known here, as long as one may follow.
            Assert.Equal(Math.Min(++seen, 19), Count("run decode"));
            return AfterToken.GoOn;
        });
        model.LanguageModel.Scheduler.Add(turn);
        Assert.True(await turn.End);
        // Nothing is written: the id feeds the next step on the device.
        Assert.Equal(["run prefill", "read next tokens", .. Enumerable.Repeat((string[])["run decode", "read next tokens"], 19)
            .SelectMany(s => s)], _log);
    }

    [Fact]
    public async Task Chats_that_are_answered_at_once_share_runs_and_reads()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        Compile(model, 4);
        using var others = new ManualResetEventSlim();
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        Turn first = NewTurn(model, prompt, 40, _ =>
        {
            others.Wait(TestContext.Current.CancellationToken);
            return AfterToken.GoOn;
        });
        Turn[] later = [.. Enumerable.Range(1, 3).Select(i => NewTurn(model, prompt[..^i], 30, _ => AfterToken.GoOn))];
        Watch();
        model.LanguageModel.Scheduler.Add(first);
        foreach (Turn turn in later) model.LanguageModel.Scheduler.Add(turn);
        others.Set();
        foreach (Turn turn in (Turn[])[first, .. later]) Assert.True(await turn.End);
        // 39 and three times 29 tokens are decoded; alone they would take 126 runs. The three begin in three rounds.
        Assert.InRange(Count("run decode"), 39, 45);
        Assert.Equal(Count("run decode") + 4, Count("read next tokens"));
    }

    [Fact]
    public async Task A_plan_that_is_being_compiled_holds_up_nobody()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using var compiled = new ManualResetEventSlim();
        using var compiling = new SemaphoreSlim(0);
        _device.Compiling = _ =>
        {
            compiling.Release();
            compiled.Wait(TestContext.Current.CancellationToken);
        };
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        Turn[] turns = [.. Enumerable.Range(0, 2).Select(i => NewTurn(model, prompt[..^i], 30, _ => AfterToken.GoOn))];
        foreach (Turn turn in turns) model.LanguageModel.Scheduler.Add(turn);
        // A step of two is not to be had yet; steps of one serve them, to the end.
        foreach (Turn turn in turns) Assert.True(await turn.End.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken));
        // Whoever needs a plan that is not there waits for it alone.
        int[] longer = [.. Enumerable.Range(0, 1100).Select(i => prompt[i % prompt.Length])];
        Turn waiting = NewTurn(model, longer, 2, _ => AfterToken.GoOn), other = NewTurn(model, prompt, 20, _ => AfterToken.GoOn);
        model.LanguageModel.Scheduler.Add(waiting);
        await compiling.WaitAsync(TestContext.Current.CancellationToken);
        model.LanguageModel.Scheduler.Add(other);
        Assert.True(await other.End.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken));
        Assert.False(waiting.IsDone);
        compiled.Set();
        Assert.True(await waiting.End.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_long_prompt_lets_others_go_on_between_its_chunks()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        Compile(model, 2);
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        Turn? late = null;
        Turn talking = NewTurn(model, prompt, 60, token =>
        {
            if (late is null)
            {
                late = NewTurn(model, [.. Enumerable.Range(0, 900).Select(i => prompt[i * 7 % prompt.Length])], 1, _ => AfterToken.GoOn);
                model.LanguageModel.Scheduler.Add(late);
            }
            return AfterToken.GoOn;
        });
        Watch();
        model.LanguageModel.Scheduler.Add(talking);
        Assert.True(await talking.End);
        Assert.True(await late!.End);
        List<string> runs = [.. _log.Where(e => e.StartsWith("run", StringComparison.Ordinal))];
        Assert.Equal(1 + (900 + 127) / 128, runs.Count(r => r == "run prefill"));
        int end = runs.LastIndexOf("run prefill");
        for (int i = 1; i < end; i++) Assert.NotEqual(("run prefill", "run prefill"), (runs[i], runs[i + 1]));
    }

    [Theory]
    [InlineData("Please segment the red circle.", 1, 1)]
    [InlineData("Please segment the red circle, the blue star and the yellow triangle.", 1, 3)]
    [InlineData("Please segment the red circle and the blue star.", 8, 16)]
    [InlineData("Please segment the red circle, the blue star and the yellow triangle.", 6, 18)]
    public void A_frame_costs_a_run_for_sixteen_tracked_objects_and_one_read_behind_everything_else(string question, int times, int objects)
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..3]);
        for (int i = 0; i < times; i++) session.Ask(question);
        Assert.Equal(objects, session.ObjectCount);
        // With the second frame, room for a frame beside the newest one is made.
        for (int f = 0; f < 2; f++) session.Next(Shapes.Clip[f]);
        Watch();
        session.Next(Shapes.Clip[2]);
        Assert.Equal(["write picture", "run frame resize", "run image encoder",
            .. Enumerable.Repeat((string[])["run prompted frame", "run memory encoder"], objects).SelectMany(s => s),
            "run mask output", "read mask output"], _log);
        for (int f = 3; f < 12; f++)
        {
            _log.Clear();
            session.Next(Shapes.Clip[f]);
            Assert.Equal(["write picture", "run frame resize", "run image encoder",
                .. Enumerable.Repeat("run tracked frame", (objects + 15) / 16), "run mask output", "read mask output"], _log);
        }
    }

    [Fact]
    public void A_seg_state_stays_on_the_device_on_its_way_to_the_prompt()
    {
        using Sa2VAModel model = Shapes.Load(_device);
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        Watch();
        Answer answer = session.Ask("Please segment the red circle.");
        Assert.Single(answer.Objects);
        Assert.DoesNotContain("read last states", _log);
        Assert.DoesNotContain("write state", _log);
        int projected = _log.IndexOf("run seg projector"), prompted = _log.IndexOf("run prompted frame");
        Assert.Equal(["copy last states to state", "run seg projector", "copy seg to seg vector", "read seg vector"],
            _log[(projected - 1)..(projected + 3)]);
        Assert.Equal("copy seg vector to sparse prompt", _log[..prompted].Last(e => e.StartsWith("copy", StringComparison.Ordinal)));
        // The step that consumed [SEG] was the latest one when its state was projected.
        Assert.Equal("run decode", _log[..projected].Last(e => e.StartsWith("run", StringComparison.Ordinal)));
        Assert.Equal(1, _log.Count(e => e.StartsWith("read mask", StringComparison.Ordinal)));
    }

    private static Turn NewTurn(Sa2VAModel model, int[] prompt, int maxNewTokens, Func<int, AfterToken> onToken)
    {
        var conversation = new Conversation(model.LanguageModel, null);
        conversation.Begin(prompt);
        return new Turn(conversation, prompt, maxNewTokens, onToken, TestContext.Current.CancellationToken);
    }

    /// <summary>While a larger plan is compiled, smaller ones serve.</summary>
    private static void Compile(Sa2VAModel model, int sequences)
    {
        for (int n = 2; n <= sequences; n *= 2)
            SpinWait.SpinUntil(() => model.LanguageModel.Ready(model.LanguageModel.DecodeKind(n, 1)) is not null);
    }

    private int Count(string what)
    {
        lock (_log) return _log.Count(e => e == what);
    }

    private void Log(string entry)
    {
        lock (_log) _log.Add(entry);
    }

    private void Watch()
    {
        _device.Before = graph => Log($"run {graph}");
        _device.Writing = buffer => Log($"write {buffer}");
        _device.Copying = (from, to) => Log($"copy {from} to {to}");
        _device.Reading = buffer => Log($"read {buffer}");
    }
}
