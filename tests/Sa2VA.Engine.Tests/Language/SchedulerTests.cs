using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>What goes wrong for one of those who are answered together goes wrong for that one alone.</summary>
public sealed class SchedulerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_waits_behind_others_may_leave_at_once()
    {
        using Sa2VAModel model = Shapes.Load();
        using var end = new CancellationTokenSource();
        using CancellationTokenSource first = new(), second = new();
        // All slots are taken, by answers that are cancelled only at the end.
        Turn[] busy = [.. Enumerable.Range(0, LanguageModel.SlotCount).Select(_ => NewTurn(model, 8, end.Token))];
        foreach (Turn turn in busy) model.LanguageModel.Scheduler.Add(turn);
        Turn before = NewTurn(model, 8, first.Token), leaving = NewTurn(model, 8, second.Token);
        model.LanguageModel.Scheduler.Add(before);
        model.LanguageModel.Scheduler.Add(leaving);
        second.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving.End.WaitAsync(Patience, Cancellation));
        Assert.False(before.IsDone);
        Assert.DoesNotContain(busy, t => t.IsDone);
        end.Cancel();
        first.Cancel();
        foreach (Turn turn in (Turn[])[.. busy, before]) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => turn.End);
    }

    [Fact]
    public async Task Without_room_for_a_larger_plan_smaller_ones_do()
    {
        int tries = 0;
        bool refuse = false;
        var device = new WatchedDevice
        {
            Compiling = graph =>
            {
                if (!refuse || graph != "decode") return;
                Interlocked.Increment(ref tries);
                throw new DeviceException("No room.");
            },
        };
        using Sa2VAModel model = Shapes.Load(device);
        refuse = true;
        TextSession[] sessions = [.. Enumerable.Range(0, 3).Select(_ => model.OpenText())];
        // All three have come before any begins, so that they are answered together.
        using var come = new ManualResetEventSlim();
        using var held = new SemaphoreSlim(0);
        model.LanguageModel.Scheduler.Add(NewTurn(model, 8, Cancellation, () =>
        {
            held.Release();
            come.Wait(Cancellation);
            return AfterToken.End;
        }));
        await held.WaitAsync(Cancellation);
        Task<Answer>[] asked = [.. sessions.Select(s => s.AskAsync("What can you do?", cancellation: Cancellation))];
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.Waiting == sessions.Length);
        come.Set();
        Answer[] answers = await Task.WhenAll(asked);
        Assert.All(answers, a => Assert.Equal(Shapes.Case("text-what").Prediction, a.Raw));
        // For two and for four, and not again at each token.
        Assert.InRange(tries, 1, 2);

        // Later there is room.
        refuse = false;
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.IsIdle);
        Assert.True(SpinWait.SpinUntil(() => model.LanguageModel.ReadyIfPossible(model.LanguageModel.DecodeKind(2, 1)) is not null,
            Patience));
        foreach (TextSession session in sessions) session.Dispose();
    }

    [Fact]
    public async Task A_state_that_cannot_be_taken_ends_one_answer()
    {
        using ManualResetEventSlim compile = new();
        bool armed = false;
        var device = new WatchedDevice
        {
            Compiling = graph =>
            {
                if (armed && graph == "decode") compile.Wait(Cancellation);
            },
        };
        using Sa2VAModel model = Shapes.Load(device);
        LanguageModel language = model.LanguageModel;
        armed = true;
        using var end = new CancellationTokenSource();
        Turn? one = null;
        // Both come to where they need a plan for more tokens at once; one of them wants the state of the first step of that plan.
        one = NewTurn(model, 1020, end.Token, () => one!.Delivered == 5 ? AfterToken.TakeState : AfterToken.GoOn,
            _ => throw new DeviceException("No room."));
        int tokens = 0;
        Turn other = NewTurn(model, 1020, end.Token, () =>
        {
            Interlocked.Increment(ref tokens);
            return AfterToken.GoOn;
        });
        language.Scheduler.Add(one);
        language.Scheduler.Add(other);
        bool waiting = SpinWait.SpinUntil(() => one.WantsState && Volatile.Read(ref tokens) == 5, Patience);
        compile.Set();
        Assert.True(waiting);
        Assert.Equal("No room.", (await Assert.ThrowsAsync<DeviceException>(() => one.End.WaitAsync(Patience, Cancellation))).Message);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref tokens) > 20 || other.IsDone, Patience));
        Assert.False(other.IsDone);
        end.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other.End);
    }

    [Fact]
    public void A_picture_that_a_failure_kept_from_coming_comes_again()
    {
        const string question = "Please segment the red circle.";
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        LanguageModel language = model.LanguageModel;
        string expected;
        using (ImageSession alone = Shapes.Model.OpenImage(Shapes.Image("shapes.png"))) expected = Shapes.Fingerprint(alone.Ask(question));
        using (ImageSession before = model.OpenImage(Shapes.Image("square-150.png"))) before.Ask(question);
        SpinWait.SpinUntil(() => language.Scheduler.IsIdle);

        using DeviceBuffer from = model.Backend.Allocate("from", DType.F32, new Shape(4 << 20));
        using DeviceBuffer to = model.Backend.Allocate("to", DType.F32, new Shape(4 << 20));
        Turn failing = NewTurn(model, 1, Cancellation);
        failing.Slot = LanguageModel.SlotCount - 1;
        bool armed = true;
        device.Copying = (_, name) =>
        {
            if (name != "image rows" || !armed) return;
            armed = false;
            // The queue is at work, and fails before it comes to the picture.
            language.Queue.Write<int>(language.Next, [int.MaxValue], failing.Slot);
            for (int i = 0; i < 10; i++) language.Queue.Copy(from, 0, to, 0, from.Shape.Count);
            failing.Conversation.MakeRoom(1);
            language.Ready(language.DecodeKind(1, 1))!.Decode([failing]);
        };
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        Assert.Throws<GraphException>(() => session.Ask(question));
        Assert.Equal(expected, Shapes.Fingerprint(session.Ask(question)));
        failing.Conversation.Dispose();
    }

    private static Turn NewTurn(Sa2VAModel model, int prompt, CancellationToken cancellation, Func<AfterToken>? onToken = null,
        Action<int>? onState = null)
    {
        int[] ids = new Steps(model.LanguageModel).Prompt(prompt, 1);
        var conversation = new Conversation(model.LanguageModel, null);
        conversation.Begin(ids);
        return new Turn(conversation, ids, 1_000_000, _ => onToken?.Invoke() ?? AfterToken.GoOn, cancellation) { OnState = onState };
    }
}
