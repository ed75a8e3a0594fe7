using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Samples;

internal static class LiveCamera
{
    /// <summary>Follows what is clicked at through the frames of a camera: newer frames take the place of those that wait.</summary>
    public static async Task RunAsync(Sa2VAModel model, IAsyncEnumerable<RgbImage> camera, CancellationToken cancellation)
    {
        await using VideoSession session = model.OpenTracker(new VideoOptions { ReuseMasks = true });
        await using var live = new LiveVideo(session, new LiveOptions { Policy = QueuePolicy.KeepLatest });
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync(cancellation);
        var clicked = new TaskCompletionSource();
        Task pushing = PushAsync();
        await foreach (LiveResult result in results)
        {
            if (!clicked.Task.IsCompleted) await live.FollowAsync(new VisualPrompt(new Click(60, 40)), cancellation);
            clicked.TrySetResult();
            foreach (ObjectMask o in result.Masks.Objects)
                Console.WriteLine($"{result.Timestamp.TotalSeconds:0.0} s, object {o.Id}: {o.Area} pixels, in sight: {o.IsPresent}");
        }
        await pushing;
        LiveCounters counters = live.Counters;
        Console.WriteLine($"{counters.Tracked} of {counters.Pushed} frames, 95 of 100 within {counters.LatencyP95.TotalMilliseconds:0} ms");

        async Task PushAsync()
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            await foreach (RgbImage frame in camera.WithCancellation(cancellation))
            {
                await live.PushAsync(frame, clock.Elapsed, cancellation: cancellation);
                // Who clicks sees the first frame before the last one comes, also where that is a short clip.
                await clicked.Task.WaitAsync(cancellation);
            }
            await live.CompleteAsync();
        }
    }
}
