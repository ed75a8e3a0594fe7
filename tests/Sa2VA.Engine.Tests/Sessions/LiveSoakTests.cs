using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// Live streams for a long time, with all that can happen to them: objects that join by words and clicks, are corrected and leave,
/// questions in between, frames that are cancelled, late, bad or too many, streams and sessions that are closed in mid-run. What becomes
/// of which frame depends on threads; that counters add up, that nothing waits for ever and that nothing grows, does not.
/// </summary>
[Collection(MeasuredCollection.Name)]
public sealed class LiveSoakTests : IDisposable
{
    private const int Seed = 20261127;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private static readonly string[] Questions = ["Please segment the red circle.", "Please segment the blue star and the green ring.",
        "Please describe the video content."];

    private readonly WatchedDevice _device = new();
    private readonly Random _random = new(Seed);
    private readonly Sa2VAModel _model;
    private readonly long _loaded;
    private int _faults, _refused;

    public LiveSoakTests()
    {
        _model = Shapes.Load(_device);
        _loaded = _model.MemoryInfo.Buffers;
        _device.Before = graph =>
        {
            // One of those that were ordered hits whichever run of the stream comes next.
            if (graph is not ("image encoder" or "tracked frame" or "mask output" or "prompted frame")) return;
            if (Interlocked.Decrement(ref _faults) >= 0) throw new InvalidTimeZoneException();
            Interlocked.Increment(ref _faults);
        };
    }

    public void Dispose() => _model.Dispose();

    [Fact]
    public async Task Nothing_grows_and_nothing_is_lost_whatever_happens()
    {
        int frames = FullRun.Times(1200, 20_000), early = frames / 2;
        TestContext.Current.SendDiagnosticMessage($"seed {Seed}, {frames} frames");
        Measure? before = null;
        LiveCounters all = default;
        long begin = Stopwatch.GetTimestamp();
        // However fast the machine is, a minute.
        while (all.Pushed < frames || Stopwatch.GetElapsedTime(begin) < TimeSpan.FromMinutes(1))
        {
            all = Sum(all, await LifeAsync().WaitAsync(Patience));
            // Pages of a question that was given up just now go with the next conversation that ends.
            SpinWait.SpinUntil(() => _model.LanguageModel.Scheduler.IsIdle);
            _model.OpenText().Dispose();
            long expected = _loaded + Shapes.PooledBytes(_model), held = Shapes.Held(_model).Buffers;
            Assert.True(held == expected, $"seed {Seed}: {held} bytes are held after {all.Pushed} frames, {expected} are expected");
            Assert.Equal(0, _model.Segmentation.Banks.MemorySlots.Taken);
            if (all.Pushed >= early) before ??= Measure.Now();
        }
        Measure after = Measure.Now();
        string what = $"seed {Seed}: {before} after {early} frames, {after} after {all.Pushed}; {all}";
        TestContext.Current.SendDiagnosticMessage(what);
        Assert.True(after.Managed - before!.Managed < 1_000_000, what);
        Assert.True(after.Resident - before.Resident < 20_000_000, what);
        Assert.True(after.Handles - before.Handles < 10, what);
        Assert.True(after.Threads - before.Threads < 10, what);
        // Each kind of thing did happen.
        foreach (long count in (long[])[all.Tracked, all.Dropped, all.Cancelled, all.Expired, all.Failed]) Assert.True(count > 5, what);
    }

    /// <summary>One session from its opening to its end, live once or twice.</summary>
    private async Task<LiveCounters> LifeAsync()
    {
        var options = new VideoOptions { ReuseMasks = _random.Next(2) == 0, KeepFrames = 2, MaxObjects = 5 };
        VideoSession session = _model.OpenVideo(Shapes.Clip[..2], options);
        LiveCounters all = default;
        for (int lives = _random.Next(1, 3); lives > 0; lives--)
        {
            Interlocked.Exchange(ref _faults, 0);
            bool closesSession = lives == 1 && _random.Next(3) == 0;
            var live = new LiveVideo(session, new LiveOptions
            {
                Policy = (QueuePolicy)_random.Next(3), Capacity = _random.Next(1, 5),
                ReAsk = new ReAskOptions { EveryFrames = 40, WhenLostFor = 10, ShownFrames = 1 },
            });
            all = Sum(all, await StreamAsync(live, closesSession));
            if (!closesSession && _random.Next(3) == 0) session.Reset();
        }
        await session.DisposeAsync();
        return all;
    }

    private async Task<LiveCounters> StreamAsync(LiveVideo live, bool closesSession)
    {
        long read = 0, pushed = 0;
        Task reading = Read(live.ResultsAsync());
        var others = new List<Task>();
        int frames = _random.Next(20, 60);
        for (int f = 0; f < frames; f++)
        {
            others.RemoveAll(t => t.IsCompletedSuccessfully);
            Disturb(live, others);
            if (_random.Next(12) == 0)
                await Assert.ThrowsAsync<MediaException>(async () => await live.PushAsync(default(ImageView), default));
            ValueTask push = Push(live, f);
            pushed++;
            // A burst is not waited for.
            if (_random.Next(4) == 0) others.Add(push.AsTask());
            else await Tolerated(push.AsTask());
            if (_random.Next(3) == 0) await Tolerated(live.BetweenFramesAsync(_ => true));
        }
        switch (_random.Next(3))
        {
            case 0 when !closesSession:
                await Task.WhenAll(others.Select(Tolerated));
                await live.CompleteAsync();
                break;
            case 1 when closesSession:
                await live.Session.DisposeAsync();
                break;
        }
        await live.DisposeAsync();
        await Task.WhenAll(others.Select(Tolerated));
        await Tolerated(reading);
        LiveCounters counters = live.Counters;
        Assert.Equal(counters.Pushed, counters.Tracked + counters.Dropped + counters.Expired + counters.Cancelled + counters.Failed);
        // Frames that were cancelled before they were pushed did not come in; each other one counts.
        Assert.Equal(pushed - _refused, counters.Pushed);
        Assert.Equal(0, counters.Waiting);
        Assert.InRange(read + counters.Unread, 0, counters.Tracked);
        _refused = 0;
        return counters;

        async Task Read(IAsyncEnumerable<LiveResult> results)
        {
            await foreach (LiveResult result in results)
            {
                read++;
                foreach (ObjectMask o in result.Masks.Objects) Assert.InRange(o.Score, 0, 1);
            }
        }
    }

    private ValueTask Push(LiveVideo live, int f)
    {
        TimeSpan? deadline = _random.Next(8) == 0 ? TimeSpan.FromTicks(_random.Next(1, 40_000)) : null;
        var stop = new CancellationTokenSource();
        switch (_random.Next(12))
        {
            case 0: stop.Cancel(); break;
            case 1: stop.CancelAfter(TimeSpan.FromTicks(_random.Next(100_000))); break;
            case 2: Interlocked.Increment(ref _faults); break;
        }
        RgbImage frame = Shapes.Clip[f % 48];
        try
        {
            return _random.Next(2) == 0 ? live.PushAsync(frame, TimeSpan.FromSeconds(f), deadline, stop.Token)
                : live.PushAsync(frame.View, TimeSpan.FromSeconds(f), deadline, stop.Token);
        }
        catch (OperationCanceledException)
        {
            _refused++;
            return default;
        }
    }

    private void Disturb(LiveVideo live, List<Task> others)
    {
        int id = _random.Next(8);
        RgbImage size = Shapes.Clip[0];
        var click = new VisualPrompt(new Click(_random.Next(size.Width), _random.Next(size.Height), Inside: _random.Next(4) > 0));
        switch (_random.Next(20))
        {
            case 0: others.Add(live.FollowAsync(click)); break;
            case 1: others.Add(live.CorrectAsync(id, click)); break;
            case 2 or 3: others.Add(live.RemoveAsync(id)); break;
            case 4:
                var stop = new CancellationTokenSource();
                if (_random.Next(3) == 0) stop.CancelAfter(_random.Next(30));
                others.Add(live.Session.AskAsync(Questions[_random.Next(3)], new AskOptions { MaxNewTokens = 12 }, stop.Token));
                break;
            case 5: others.Add(live.BetweenFramesAsync(Save)); break;
            case 6: live.ReadLatest(r => Assert.True(r.Latency >= TimeSpan.Zero)); break;
        }
    }

    private static bool Save(VideoSession session)
    {
        session.Save(Stream.Null);
        return true;
    }

    /// <summary>Waits for what may be refused, cancelled, failed or closed, as was ordered; nothing else.</summary>
    private static async Task Tolerated(Task task)
    {
        try
        {
            await task.WaitAsync(Patience);
        }
        catch (Exception e) when (e is Sa2VAException or ObjectDisposedException or OperationCanceledException or InvalidTimeZoneException)
        {
        }
    }

    private static LiveCounters Sum(LiveCounters a, LiveCounters b) => new()
    {
        Pushed = a.Pushed + b.Pushed, Tracked = a.Tracked + b.Tracked, Dropped = a.Dropped + b.Dropped, Expired = a.Expired + b.Expired,
        Cancelled = a.Cancelled + b.Cancelled, Failed = a.Failed + b.Failed, Unread = a.Unread + b.Unread,
    };

    private sealed record Measure(long Managed, long Resident, int Handles, int Threads)
    {
        public static Measure Now()
        {
            // Aggressive: what others left in the collector's hands goes back to the system now.
            for (int i = 0; i < 2; i++)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                GC.WaitForPendingFinalizers();
            }
            using Process process = Process.GetCurrentProcess();
            long managed = GC.GetTotalMemory(forceFullCollection: true);
            return new Measure(managed, process.WorkingSet64, process.HandleCount, process.Threads.Count);
        }
    }
}
