using System.Collections.Concurrent;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Tests.State;

namespace Sa2VA.Tests.Sessions;

/// <summary>A live stream asks again by itself, when it was told to.</summary>
public sealed class LiveReAskTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.";

    private static readonly VideoOptions Keep = new() { KeepFrames = 3 };

    /// <summary>What is not told by then never is.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly WatchedDevice _device = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_every_few_frames_with_the_bits_of_asking_by_hand()
    {
        var options = new ReAskOptions { EveryFrames = 4, WhenLostFor = 0, Questions = [Star], ShownFrames = 2 };
        using VideoSession byHand = Shapes.Model.OpenVideo(Shapes.Clip[..2], Keep);
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], Keep);
        foreach (VideoSession s in (VideoSession[])[byHand, session]) s.Ask(Circle);
        var told = new SemaphoreSlim(0);
        var results = new List<ReAskResult>();
        await using var live = new LiveVideo(session, new LiveOptions
        {
            Policy = QueuePolicy.Wait, ReAsk = options, ReAsked = result =>
            {
                results.Add(result);
                told.Release();
            },
        });
        await using IAsyncEnumerator<LiveResult> read = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        for (int f = 0; f < 10; f++)
        {
            await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f));
            Assert.True(await read.MoveNextAsync());
            Assert.Equal(Print(byHand.Next(Shapes.Clip[f])), Print(read.Current.Masks));
            if (f % 4 != 3) continue;
            Assert.True(await told.WaitAsync(Patience, Cancellation));
            ReAskResult expected = await byHand.ReAskAsync(options, Cancellation);
            Assert.Equal(f, results[^1].Frame);
            Assert.Equal(f == 3 ? [1] : [], results[^1].Newcomers);
            Assert.Equal(expected.Known, results[^1].Known);
        }
        Assert.Equal(2, results.Count);
    }

    [Fact]
    public async Task What_joins_is_told_before_its_first_masks_even_if_no_more_frames_are_taken()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], Keep, Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        var comparing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var goOn = new ManualResetEventSlim();
        var happened = new ConcurrentQueue<string>();
        LiveVideo? told = null;
        await using var live = new LiveVideo(session, new LiveOptions
        {
            Policy = QueuePolicy.Wait, ReAsk = new ReAskOptions { EveryFrames = 2, WhenLostFor = 0, Questions = [Star] },
            ReAsked = result => told!.ReadLatest(r =>
                happened.Enqueue($"behind frame {r.Masks.Frame}: {string.Join(' ', result.Newcomers)}")),
        });
        told = live;
        await using IAsyncEnumerator<LiveResult> read = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        for (int f = 0; f < 2; f++)
        {
            await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f));
            Assert.True(await read.MoveNextAsync());
            // Behind the first frame only what is asked again looks for what words name.
            if (f == 0)
                _device.Before = graph =>
                {
                    if (graph == "prompted frame" && comparing.TrySetResult()) goOn.Wait(Cancellation);
                };
        }
        await comparing.Task.WaitAsync(Patience, Cancellation);
        await live.PushAsync(Shapes.Clip[2], TimeSpan.FromSeconds(2));
        Task completed = live.CompleteAsync();
        goOn.Set();
        while (await read.MoveNextAsync())
            happened.Enqueue($"frame {read.Current.Masks.Frame}: {string.Join(' ', read.Current.Masks.Objects.Select(o => o.Id))}");
        await completed.WaitAsync(Patience, Cancellation);
        Assert.Equal(["behind frame 1: 1", "frame 2: 0 1"], happened);
    }

    [Fact]
    public async Task When_an_object_is_lost_for_some_frames_and_again_while_it_is()
    {
        var pixels = new byte[Shapes.Clip[0].Width * Shapes.Clip[0].Height * 3];
        Array.Fill(pixels, (byte)128);
        var blank = new RgbImage(Shapes.Clip[0].Width, Shapes.Clip[0].Height, pixels);
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], Keep);
        session.Ask(Circle);
        var told = new SemaphoreSlim(0);
        var frames = new List<long>();
        await using var live = new LiveVideo(session, new LiveOptions
        {
            Policy = QueuePolicy.Wait, ReAsk = new ReAskOptions { WhenLostFor = 3 }, ReAsked = result =>
            {
                frames.Add(result.Frame);
                told.Release();
            },
        });
        await using IAsyncEnumerator<LiveResult> read = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        for (int f = 0; f < 11; f++)
        {
            bool isBlank = f is >= 2 and < 9;
            await live.PushAsync(isBlank ? blank : Shapes.Clip[f], TimeSpan.FromSeconds(f));
            Assert.True(await read.MoveNextAsync());
            ObjectMask mask = Assert.Single(read.Current.Masks.Objects);
            Assert.Equal(!isBlank, mask.Area > 0);
            if (f is 4 or 7) Assert.True(await told.WaitAsync(Patience, Cancellation));
            // It is not being asked by itself then, or this would be refused.
            if (f == 1) Assert.Equal([0], (await session.ReAskAsync(cancellation: Cancellation)).Known);
            if (f != 5) continue;
            using VideoSession restored = Shapes.Model.RestoreVideo(await live.BetweenFramesAsync(States.Of, Cancellation));
            Assert.Equal(4, restored.LostFrames);
            restored.Reset();
            Assert.Equal(0, restored.LostFrames);
        }
        await live.CompleteAsync();
        Assert.Equal([4, 7], frames);
        Assert.Equal(0, session.LostFrames);
    }

    [Fact]
    public void What_no_words_name_is_not_waited_for()
    {
        RgbImage frame = Shapes.Clip[0];
        using VideoSession session = Shapes.Model.OpenTracker(Keep);
        session.Next(frame, Cancellation);
        session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
        var blank = new RgbImage(frame.Width, frame.Height, new byte[frame.Width * frame.Height * 3]);
        ObjectMask mask = Assert.Single(session.Next(blank, Cancellation).Objects);
        Assert.True(mask is { Area: 0 } or { IsPresent: false });
        Assert.Equal(0, session.LostFrames);
    }

    [Fact]
    public async Task What_fails_is_told_and_what_is_closed_ends()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], Keep, Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        var failed = new TaskCompletionSource<(TimeSpan, Exception)>(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource asking = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using var goOn = new ManualResetEventSlim();
        int decoded = 0;
        var live = new LiveVideo(session, new LiveOptions
        {
            Policy = QueuePolicy.Wait, ReAsk = new ReAskOptions { EveryFrames = 3 },
            Failed = (timestamp, e) => failed.TrySetResult((timestamp, e)), ReAsked = _ => Assert.Fail(),
        });
        await using IAsyncEnumerator<LiveResult> read = live.ResultsAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        for (int f = 0; f < 6; f++)
        {
            // Behind the first frame it is in no frame's way: only what is asked again looks for what words name.
            if (f == 1)
                _device.Before = graph =>
                {
                    if (graph == "prompted frame") throw new InvalidTimeZoneException();
                    if (graph == "decode" && asking.Task.IsCompleted) decoded++;
                    if (graph == "prefill" && failed.Task.IsCompleted && asking.TrySetResult()) goOn.Wait(Cancellation);
                };
            await live.PushAsync(Shapes.Clip[f], TimeSpan.FromSeconds(f));
            Assert.True(await read.MoveNextAsync());
            Assert.Single(read.Current.Masks.Objects);
            if (f != 2) continue;
            (TimeSpan timestamp, Exception e) = await failed.Task.WaitAsync(Patience, Cancellation);
            Assert.Equal(TimeSpan.FromSeconds(2), timestamp);
            Assert.IsType<InvalidTimeZoneException>(e);
        }
        await asking.Task.WaitAsync(Patience, Cancellation);
        Task closing = live.DisposeAsync().AsTask();
        Assert.NotSame(closing, await Task.WhenAny(closing, Task.Delay(100, Cancellation)));
        goOn.Set();
        await closing;
        // What was being asked is given up, not waited for.
        Assert.Equal(0, decoded);
        Assert.Equal((6, 0), (live.Counters.Tracked, live.Counters.Failed));
        _device.Before = null;
        Assert.Equal(6, session.Next(Shapes.Clip[6], Cancellation).Frame);
        Assert.Equal([0], (await session.ReAskAsync(cancellation: Cancellation)).Known);
    }

    private static string Print(FrameMasks masks) =>
        $"{masks.Frame}: " + string.Join(" ", masks.Objects.Select(o => $"{o.Id} {Shapes.Fingerprint(o)}"));
}
