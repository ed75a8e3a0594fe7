using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Chat and stream of a video go on side by side, and meet between two frames.</summary>
public sealed class QuestionsBesideFramesTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.";

    private static readonly AskOptions Logits = new() { Logits = true };

    private readonly WatchedDevice _device = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("prefill")]
    [InlineData("decode")]
    [InlineData("seg projector")]
    public async Task Frames_go_on_while_a_question_is_being_answered(string stage)
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, Logits, Cancellation);
        var seen = new List<string>();
        using var goOn = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph != stage || !reached.TrySetResult()) return;
            goOn.Wait(Cancellation);
        };
        Task<Answer> asking = session.AskAsync(Star, Logits, Cancellation);
        await reached.Task.WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        for (int f = 0; f < 5; f++) seen.Add(Print(session.Next(Shapes.Clip[f], Cancellation)));
        Assert.False(asking.IsCompleted);
        goOn.Set();
        Assert.Equal(1, Assert.Single((await asking).Objects).Id);
        for (int f = 5; f < 9; f++) seen.Add(Print(session.Next(Shapes.Clip[f], Cancellation)));
        Assert.Equal(Plain(joins: 5), seen);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_an_answer_names_joins_when_the_frame_in_work_is_through(bool fails)
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, Logits, Cancellation);
        var seen = new List<string>();
        for (int f = 0; f < 4; f++) seen.Add(Print(session.Next(Shapes.Clip[f], Cancellation)));
        using var goOn = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph != "tracked frame" || !reached.TrySetResult()) return;
            goOn.Wait(Cancellation);
            if (fails) throw new InvalidTimeZoneException();
        };
        Task<FrameMasks> frame = Task.Run(() => session.Next(Shapes.Clip[4], Cancellation), Cancellation);
        await reached.Task.WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        await using IAsyncEnumerator<AnswerUpdate> answer =
            session.AskStreamAsync(Star, Logits, Cancellation).GetAsyncEnumerator(Cancellation);
        while (await answer.MoveNextAsync() && answer.Current is not ObjectUpdate) Assert.IsType<TextUpdate>(answer.Current);
        // All is said; only the stream is waited for.
        Task<bool> ending = answer.MoveNextAsync().AsTask();
        Assert.Equal(1, session.ObjectCount);
        Assert.False(ending.IsCompleted);
        Assert.Throws<SessionBusyException>(() => session.Next(Shapes.Clip[5], Cancellation));
        Assert.Throws<SessionBusyException>(() => session.Remove(0));
        Assert.Throws<SessionBusyException>(() => session.Ask(Star, cancellation: Cancellation));
        goOn.Set();
        if (fails)
        {
            await Assert.ThrowsAsync<InvalidTimeZoneException>(() => frame);
            Assert.True(await ending);
            seen.Add(Print(session.Next(Shapes.Clip[4], Cancellation)));
        }
        else
        {
            seen.Add(Print(await frame));
            Assert.True(await ending);
        }
        Assert.IsType<AnswerCompleted>(answer.Current);
        Assert.Equal(2, session.ObjectCount);
        for (int f = 5; f < 9; f++) seen.Add(Print(session.Next(Shapes.Clip[f], Cancellation)));
        Assert.Equal(Plain(joins: fails ? 4 : 5), seen);
    }

    [Fact]
    public async Task Objects_that_are_shown_meanwhile_have_numbers_of_their_own()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Next(Shapes.Clip[0], Cancellation);
        // One that fails when it has numbers gives them back.
        _device.Writing = name =>
        {
            if (name == "sparse prompt") throw new InvalidTimeZoneException();
        };
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => session.AskAsync(Star, cancellation: Cancellation));
        _device.Writing = null;
        int? shown = null;
        var numbers = new List<int>();
        await foreach (AnswerUpdate update in session.AskStreamAsync(Circle, cancellation: Cancellation))
        {
            shown ??= session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
            if (update is ObjectUpdate o) numbers.Add(o.Object.Id);
        }
        numbers.Add(shown!.Value);
        Assert.Equal([0, 1], numbers.Order());
        Assert.Equal([0, 1], session.Next(Shapes.Clip[1], Cancellation).Objects.Select(o => o.Id).Order());
    }

    [Fact]
    public async Task A_session_that_is_closed_beside_both_lets_both_end()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        long loaded = model.MemoryInfo.Buffers;
        VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        using var frameGoesOn = new ManualResetEventSlim();
        using var answerGoesOn = new ManualResetEventSlim();
        TaskCompletionSource frameReached = new(TaskCreationOptions.RunContinuationsAsynchronously),
            answerReached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph == "mask output" && frameReached.TrySetResult()) frameGoesOn.Wait(Cancellation);
            if (graph == "decode" && answerReached.TrySetResult()) answerGoesOn.Wait(Cancellation);
        };
        Task<FrameMasks> frame = Task.Run(() => session.Next(Shapes.Clip[0], Cancellation), Cancellation);
        Task<Answer> answer = session.AskAsync(Star, cancellation: Cancellation);
        await Task.WhenAll(frameReached.Task, answerReached.Task).WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        Task closing = session.DisposeAsync().AsTask();
        frameGoesOn.Set();
        Assert.Single((await frame).Objects);
        Assert.False(closing.IsCompleted);
        Assert.Throws<ObjectDisposedException>(() => session.Next(Shapes.Clip[1], Cancellation));
        answerGoesOn.Set();
        Assert.Single((await answer).Objects);
        await closing;
        // Read when all has ended, before the pools are.
        long held = Shapes.Held(model).Buffers;
        Assert.Equal(loaded + Shapes.PooledBytes(model), held);
    }

    private static List<string> Plain(int joins)
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        session.Ask(Circle, Logits);
        var prints = new List<string>();
        for (int f = 0; f < 9; f++)
        {
            if (f == joins) session.Ask(Star, Logits);
            prints.Add(Print(session.Next(Shapes.Clip[f])));
        }
        return prints;
    }

    private static string Print(FrameMasks masks) =>
        $"{masks.Frame}: " + string.Join(" ", masks.Objects.Select(o => $"{o.Id} {Shapes.Fingerprint(o)}"));
}
