using System.Diagnostics;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>A frame that fails or is cancelled, wherever that happens, leaves the stream as if it had never been pushed.</summary>
public sealed class SkippedFrameTests
{
    /// <summary>Conditioning begins and ends twice, and both rings turn over.</summary>
    private const int FrameCount = 20, Joins = 3;

    [Fact]
    public void After_the_plans_of_every_frame()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        var plans = new List<string>[FrameCount];
        string[] expected = Track(model, false, (_, f) =>
        {
            plans[f] = [];
            device.After = plans[f].Add;
        }, () => device.After = null);

        var failed = new HashSet<string>();
        string[] disturbed = Track(model, false, (session, f) =>
        {
            // Always when everything is written, and while each kind of frame is new at every plan.
            for (int at = f is < 4 or 6 ? 0 : plans[f].Count - 1; at < plans[f].Count; at++)
            {
                int runs = 0;
                device.After = plan =>
                {
                    if (runs++ == at) throw new InvalidTimeZoneException(plan);
                };
                // Another picture than the one that will be there: whatever stayed of it would show.
                failed.Add(Assert.Throws<InvalidTimeZoneException>(() => session.Next(Shapes.Clip[(f * 7 + at + 5) % 48])).Message);
                device.After = null;
                Assert.Equal(f, session.Frames);
            }
        });
        Assert.Equal(expected, disturbed);
        Assert.Equal(["frame resize", "image encoder", "mask output", "memory encoder", "prompted frame", "tracked frame"],
            failed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Cancelled_within_every_plan()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        var plans = new int[FrameCount];
        string[] expected = Track(model, true, (_, f) => device.Before = _ => plans[f]++, () => device.Before = null);

        var random = new Random(31);
        int within = 0;
        string[] disturbed = Track(model, true, (session, f) =>
        {
            for (int at = f % 3; at < plans[f]; at += 3)
            {
                using var stop = new CancellationTokenSource();
                Task canceller = Task.CompletedTask;
                int runs = 0;
                bool ended = false;
                device.Before = _ =>
                {
                    if (runs++ != at) return;
                    int wait = random.Next(1500);
                    canceller = Task.Run(() =>
                    {
                        long start = Stopwatch.GetTimestamp();
                        while (Stopwatch.GetElapsedTime(start).TotalMicroseconds < wait) Thread.SpinWait(5);
                        stop.Cancel();
                    });
                };
                device.After = _ =>
                {
                    if (runs <= at) return;
                    // The plan was quicker: it is cancelled at its end.
                    ended = true;
                    canceller.Wait();
                    stop.Token.ThrowIfCancellationRequested();
                };
                Assert.ThrowsAny<OperationCanceledException>(() => session.Next(Shapes.Clip[(f * 5 + at + 9) % 48], stop.Token));
                (device.Before, device.After) = (null, null);
                canceller.Wait();
                if (!ended) within++;
            }
        });
        Assert.Equal(expected, disturbed);
        Assert.True(within > 0, "No plan was cancelled before its end.");
    }

    private static string[] Track(Sa2VAModel model, bool reuse, Action<VideoSession, int> beforeFrame, Action? afterFrame = null)
    {
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], new VideoOptions { ReuseMasks = reuse });
        Assert.Equal(2, session.Ask("Please segment the red circle and the blue star.", new AskOptions { Logits = true }).Objects.Count);
        var masks = new List<string>();
        for (int f = 0; f < FrameCount; f++)
        {
            if (f == Joins) session.Ask("Please segment the green ring.", new AskOptions { Logits = true });
            beforeFrame(session, f);
            FrameMasks frame = session.Next(Shapes.Clip[f]);
            afterFrame?.Invoke();
            Assert.Equal(f, frame.Frame);
            masks.Add(string.Join(" ", frame.Objects.Select(Shapes.Fingerprint)));
        }
        return [.. masks];
    }
}
