using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Frames pushed as they come, with everything that happens meanwhile; nothing here depends on the wall clock.</summary>
public sealed class LiveVideoTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.";

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(33), Work = TimeSpan.FromMilliseconds(99);

    private readonly WatchedDevice _device = new();
    private readonly ManualTime _time = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_live_stream_gives_the_bits_of_frames_that_are_pushed_by_hand(bool disturbed)
    {
        List<string> expected = ByHand(), seen = [];
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], new VideoOptions { ReuseMasks = true }, Cancellation);
        var failures = new List<TimeSpan>();
        await using var live = new LiveVideo(session, new LiveOptions
        {
            Policy = QueuePolicy.Wait, Time = _time, Failed = (timestamp, _) => failures.Add(timestamp),
        });
        await using IAsyncEnumerator<LiveResult> results = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await session.AskAsync(Circle, cancellation: Cancellation);
        for (int f = 0; f < 12; f++)
        {
            if (disturbed) await Disturb(live, Shapes.Clip[40 - f], f);
            _device.Before = null;
            if (f % 2 == 0) await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f), TimeSpan.FromHours(1), Cancellation);
            else await live.PushAsync(Shapes.Clip[f].View, TimeSpan.FromSeconds(f));
            Assert.True(await results.MoveNextAsync());
            Assert.Equal(TimeSpan.FromSeconds(f), results.Current.Timestamp);
            seen.Add(Print(results.Current.Masks));
            Assert.True(live.ReadLatest(r => Assert.Equal(seen[^1], Print(r.Masks))));
            if (f == 2) Assert.Equal(1, (await live.FollowAsync(new VisualPrompt(new Click(60, 40)), Cancellation)).Id);
            if (f == 5) seen.Add(Print(await live.CorrectAsync(1, new VisualPrompt(new Click(20, 20)), Cancellation)));
            if (f == 6) await session.AskAsync(Star, cancellation: Cancellation);
            if (f == 9) await live.RemoveAsync(1, Cancellation);
        }
        Assert.Equal(expected, seen);
        LiveCounters counters = live.Counters;
        AddUp(counters);
        Assert.Equal(12, counters.Tracked);
        Assert.Equal(disturbed ? (12, 12, 12) : (0, 0, 0), (counters.Failed, counters.Cancelled, counters.Expired));
        Assert.Equal(disturbed ? Enumerable.Range(0, 12).Select(f => TimeSpan.FromMinutes(f)) : [], failures);
        await live.CompleteAsync();
        Assert.False(await results.MoveNextAsync());
        Assert.Equal(12, session.Next(Shapes.Clip[12], Cancellation).Frame);
    }

    /// <summary>Frames that are cancelled, late and failing, each in the middle of its work.</summary>
    private async Task Disturb(LiveVideo live, RgbImage frame, int f)
    {
        string stage = f % 3 == 0 ? "image encoder" : "mask output";
        using var stop = new CancellationTokenSource();
        foreach (Action fault in (Action[])[() => throw new InvalidTimeZoneException(), stop.Cancel, () => _time.Advance(Work)])
        {
            bool began = false;
            _device.Before = graph =>
            {
                // Without objects no masks are made.
                if (began || (graph != stage && !(live.Session.ObjectCount == 0 && graph == "image encoder"))) return;
                began = true;
                fault();
            };
            await live.PushAsync(frame, TimeSpan.FromMinutes(f), Work, stop.Token.IsCancellationRequested ? default : stop.Token);
            await live.BetweenFramesAsync(_ => true, Cancellation);
            while (live.Counters.Waiting > 0) await live.BetweenFramesAsync(_ => true, Cancellation);
        }
    }

    [Theory]
    [InlineData(QueuePolicy.KeepLatest, 1)]
    [InlineData(QueuePolicy.DropOldest, 4)]
    public async Task A_camera_that_is_three_times_as_fast_as_the_model_finds_its_latency_bounded(QueuePolicy policy, int waiting)
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], new VideoOptions { ReuseMasks = true }, Cancellation);
        await using var live = new LiveVideo(session, new LiveOptions { Policy = policy, Time = _time });
        const int warm = 60, later = 180;
        int pushed = 0, frames = int.MaxValue, read = 0, objects = 0;
        Task<Answer>? asking = null;
        long heldWarm = 0, held = 0;
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        // The model's work takes as long as three frames of the camera, which goes on for a while behind the answer to a question.
        _device.Before = graph =>
        {
            if (graph != "image encoder") return;
            // Results have a bounded queue too, from which none is to be lost here.
            SpinWait.SpinUntil(() => Volatile.Read(ref read) == session.Frames);
            if (pushed > warm) asking ??= session.AskAsync(Circle, cancellation: Cancellation);
            if (asking is { IsCompleted: true } && frames == int.MaxValue) frames = pushed + later;
            if (pushed == frames - later + warm) heldWarm = model.MemoryInfo.Total;
            if (pushed == frames - warm) held = model.MemoryInfo.Total;
            for (int i = 0; i < 3; i++)
            {
                _time.Advance(Period);
                if (pushed < frames) Push();
            }
            if (pushed == frames) ended.TrySetResult();
        };
        var latencies = new List<TimeSpan>();
        var timestamps = new List<TimeSpan>();
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync(Cancellation);
        Push();
        Task reading = Task.Run(async () =>
        {
            await foreach (LiveResult result in results)
            {
                latencies.Add(result.Latency);
                timestamps.Add(result.Timestamp);
                objects = result.Masks.Objects.Count;
                Interlocked.Increment(ref read);
            }
        }, Cancellation);
        await ended.Task;
        await live.CompleteAsync();
        await reading;
        Assert.Equal((1, 1), (objects, (await asking!).Objects.Count));
        Assert.Equal((true, heldWarm), (heldWarm > 0, held));
        LiveCounters counters = live.Counters;
        AddUp(counters);
        Assert.Equal((frames, 0, 0, 0), (counters.Pushed, counters.Failed, counters.Cancelled, counters.Expired));
        Assert.InRange(counters.Tracked, frames / 3, frames / 3 + waiting + 1);
        // Its own work, and that of those that waited before it; a full queue is as long as its frames are apart.
        Assert.InRange(latencies.Max(), Work + Period * (waiting - 1), Work * (waiting + 1));
        TimeSpan[] sorted = [.. latencies.TakeLast(1024).Order()];
        Assert.Equal((Rank(50), Rank(95), Rank(99)), (counters.LatencyP50, counters.LatencyP95, counters.LatencyP99));
        Assert.Equal(timestamps.Order(), timestamps);

        TimeSpan Rank(int percent) => sorted[(int)Math.Ceiling(sorted.Length * percent / 100.0) - 1];

        void Push()
        {
            ValueTask push = live.PushAsync(Shapes.Clip[pushed % 48], Period * pushed++);
            Assert.True(push.IsCompletedSuccessfully);
        }
    }

    [Fact]
    public async Task Who_pushes_waits_where_no_frame_is_to_be_lost()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenTracker();
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait, Capacity = 2, Time = _time });
        using var goOn = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = _ =>
        {
            reached.TrySetResult();
            goOn.Wait(Cancellation);
        };
        await using IAsyncEnumerator<LiveResult> results = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await live.PushAsync(Shapes.Clip[0], TimeSpan.Zero);
        await reached.Task;
        for (int f = 1; f < 3; f++) Assert.True(live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f)).IsCompletedSuccessfully);
        using var stop = new CancellationTokenSource();
        Task third = live.PushAsync(Shapes.Clip[3], TimeSpan.FromSeconds(3)).AsTask();
        Task given = live.PushAsync(Shapes.Clip[30], TimeSpan.FromSeconds(9), null, stop.Token).AsTask();
        Assert.Equal((5, 5), (live.Counters.Pushed, live.Counters.Waiting));
        stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.False(third.IsCompleted);
        goOn.Set();
        for (int f = 0; f < 4; f++)
        {
            Assert.True(await results.MoveNextAsync());
            Assert.Equal(TimeSpan.FromSeconds(f), results.Current.Timestamp);
        }
        await third;
        AddUp(live.Counters);
        Assert.Equal((5, 4, 1, 0), (live.Counters.Pushed, live.Counters.Tracked, live.Counters.Cancelled, live.Counters.Dropped));
    }

    [Fact]
    public async Task A_reader_who_takes_his_time_loses_no_result_where_no_frame_is_to_be_lost()
    {
        using VideoSession session = Shapes.Model.OpenTracker(new VideoOptions { ReuseMasks = true });
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait, Capacity = 1 });
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync(Cancellation);
        Task pushing = Task.Run(async () =>
        {
            for (int f = 0; f < 5; f++) await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f));
            await live.CompleteAsync();
        }, Cancellation);
        // The second result is there, and there is no place for it.
        TimeSpan latest = default;
        SpinWait.SpinUntil(() => live.ReadLatest(r => latest = r.Timestamp) && latest > TimeSpan.Zero);
        var seen = new List<double>();
        await foreach (LiveResult result in results) seen.Add(result.Timestamp.TotalSeconds);
        await pushing;
        Assert.Equal([0, 1, 2, 3, 4], seen);
        Assert.Equal((5, 0), (live.Counters.Tracked, live.Counters.Unread));
    }

    [Fact]
    public async Task Results_that_nobody_reads_make_room_and_are_counted()
    {
        using VideoSession session = Shapes.Model.OpenTracker();
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.DropOldest, Capacity = 2 });
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync(Cancellation);
        for (int f = 0; f < 5; f++)
        {
            await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f));
            SpinWait.SpinUntil(() => live.Counters.Waiting == 0);
        }
        await live.CompleteAsync();
        Assert.Equal((5, 0, 3), (live.Counters.Tracked, live.Counters.Dropped, live.Counters.Unread));
        var seen = new List<double>();
        await foreach (LiveResult result in results) seen.Add(result.Timestamp.TotalSeconds);
        Assert.Equal([3, 4], seen);
    }

    [Fact]
    public async Task What_is_done_between_frames_comes_before_those_that_wait_and_a_frame_may_be_late_before_its_turn()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenTracker();
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait, Time = _time });
        using var goOn = new ManualResetEventSlim();
        int encoded = 0;
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph == "image encoder") encoded++;
            if (reached.TrySetResult()) goOn.Wait(Cancellation);
        };
        await live.PushAsync(Shapes.Clip[0], default);
        await reached.Task;
        await live.PushAsync(Shapes.Clip[1], default, Work);
        await live.PushAsync(Shapes.Clip[2], default);
        Task<long> command = live.BetweenFramesAsync(s => s.Frames, Cancellation);
        _time.Advance(Work);
        goOn.Set();
        Assert.Equal(1, await command);
        await live.CompleteAsync();
        // The one that is late is not even encoded.
        Assert.Equal((2, 1, 2), (live.Counters.Tracked, live.Counters.Expired, encoded));
    }

    [Fact]
    public async Task A_deadline_counts_from_the_push_also_where_most_of_it_was_spent_waiting()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenTracker();
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait, Time = _time });
        using var goOn = new ManualResetEventSlim();
        int encoded = 0;
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph != "image encoder") return;
            if (++encoded == 2) _time.Advance(Period * 2);
            if (reached.TrySetResult()) goOn.Wait(Cancellation);
        };
        await live.PushAsync(Shapes.Clip[0], default);
        await reached.Task;
        // It waits for two thirds of its time, and works for two thirds.
        await live.PushAsync(Shapes.Clip[1], default, Work);
        _time.Advance(Period * 2);
        goOn.Set();
        await live.CompleteAsync();
        Assert.Equal((1, 1, 2), (live.Counters.Tracked, live.Counters.Expired, encoded));
    }

    [Fact]
    public async Task A_question_is_answered_while_frames_go_on_and_its_objects_join()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait });
        await using IAsyncEnumerator<LiveResult> results = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        using var goOn = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = graph =>
        {
            if (graph == "decode" && reached.TrySetResult()) goOn.Wait(Cancellation);
        };
        Task<Answer> asking = session.AskAsync(Circle, cancellation: Cancellation);
        await reached.Task;
        for (int f = 0; f < 20; f++)
        {
            await live.PushAsync(Shapes.Clip[f], Period * f);
            Assert.True(await results.MoveNextAsync());
            Assert.Empty(results.Current.Masks.Objects);
        }
        Assert.False(asking.IsCompleted);
        goOn.Set();
        Assert.Single((await asking).Objects);
        await live.PushAsync(Shapes.Clip[20], Period * 20);
        Assert.True(await results.MoveNextAsync());
        ObjectMask mask = Assert.Single(results.Current.Masks.Objects);
        Assert.Equal((true, true), (mask.IsPresent, mask.Area > 0));
    }

    [Fact]
    public async Task A_session_that_is_live_is_moved_by_nobody_else_and_is_free_afterwards()
    {
        using VideoSession session = Shapes.Model.OpenTracker();
        LiveVideo live;
        await using (live = new LiveVideo(session))
        {
            Assert.Contains("is live", Assert.Throws<SessionBusyException>(() => session.Next(Shapes.Clip[0], Cancellation)).Message,
                StringComparison.Ordinal);
            Assert.Throws<SessionBusyException>(() => session.Remove(0));
            Assert.Throws<SessionBusyException>(() => new LiveVideo(session));
            _ = live.ResultsAsync(Cancellation);
            Assert.Throws<SessionBusyException>(() => live.ResultsAsync(Cancellation));
            Assert.False(live.ReadLatest(_ => { }));
            await Assert.ThrowsAsync<PromptException>(() => live.CorrectAsync(3, new VisualPrompt(new Click(1, 1)), Cancellation));
        }
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await live.PushAsync(Shapes.Clip[0], default));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => live.RemoveAsync(0, Cancellation));
        Assert.Equal(0, session.Next(Shapes.Clip[0], Cancellation).Frame);
    }

    [Fact]
    public async Task Closing_in_the_middle_of_a_frame_skips_it_and_drops_those_that_wait()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenTracker();
        var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.Wait, Capacity = 1 });
        using var goOn = new ManualResetEventSlim();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _device.Before = _ =>
        {
            if (reached.TrySetResult()) goOn.Wait(Cancellation);
        };
        await live.PushAsync(Shapes.Clip[0], default);
        await reached.Task;
        await live.PushAsync(Shapes.Clip[1], default);
        Task waiting = live.PushAsync(Shapes.Clip[2], default).AsTask();
        Task command = live.RemoveAsync(0, Cancellation);
        Task closing = live.DisposeAsync().AsTask();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => waiting);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => command);
        goOn.Set();
        await closing;
        AddUp(live.Counters);
        Assert.Equal((3, 2, 1, 0), (live.Counters.Pushed, live.Counters.Dropped, live.Counters.Cancelled, live.Counters.Waiting));
        Assert.Equal(0, session.Next(Shapes.Clip[0], Cancellation).Frame);
    }

    [Fact]
    public async Task A_session_or_model_that_is_closed_ends_the_live_stream()
    {
        VideoSession session = Shapes.Model.OpenTracker();
        await using (var live = new LiveVideo(session))
        {
            IAsyncEnumerable<LiveResult> results = live.ResultsAsync(Cancellation);
            await session.DisposeAsync();
            await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
            {
                await foreach (LiveResult _ in results) Assert.Fail();
            });
            await Assert.ThrowsAsync<ObjectDisposedException>(async () => await live.PushAsync(Shapes.Clip[0], default));
        }
        Sa2VAModel model = Shapes.Load(cancellation: Cancellation);
        using VideoSession second = model.OpenTracker();
        await using var orphan = new LiveVideo(second);
        IAsyncEnumerable<LiveResult> rest = orphan.ResultsAsync(Cancellation);
        await model.DisposeAsync();
        await orphan.PushAsync(Shapes.Clip[0], default);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            await foreach (LiveResult _ in rest) Assert.Fail();
        });
        AddUp(orphan.Counters);
    }

    private static List<string> ByHand()
    {
        var prints = new List<string>();
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        session.Ask(Circle);
        for (int f = 0; f < 12; f++)
        {
            prints.Add(Print(session.Next(Shapes.Clip[f])));
            if (f == 2) session.Follow(new VisualPrompt(new Click(60, 40)), out _);
            if (f == 5) prints.Add(Print(session.Correct(1, new VisualPrompt(new Click(20, 20)))));
            if (f == 6) session.Ask(Star);
            if (f == 9) session.Remove(1);
        }
        return prints;
    }

    private static void AddUp(LiveCounters c) =>
        Assert.Equal(c.Pushed, c.Waiting + c.Tracked + c.Dropped + c.Expired + c.Cancelled + c.Failed);

    private static string Print(FrameMasks masks) =>
        $"{masks.Frame}: " + string.Join(" ", masks.Objects.Select(o => $"{o.Id} {Shapes.Fingerprint(o)}"));
}
