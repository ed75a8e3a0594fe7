using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class FollowBothWays
{
    /// <summary>Follows what is shown in the middle of a video to both of its ends.</summary>
    public static async Task RunAsync(Sa2VAModel model, string videoPath, CancellationToken cancellation)
    {
        using VideoSource video = VideoSource.Open(videoPath);
        int middle = video.FrameCount / 2;
        var options = new RecordedOptions { Direction = TrackDirection.Both, Start = middle };
        using RecordedSession session = model.OpenRecorded(video.FrameCount, video.Read, options, cancellation);
        session.Follow(middle, new VisualPrompt(new Box(20, 20, 90, 80)));

        // First from the middle back to frame 0, then on from behind it.
        await foreach (FrameMasks frame in session.TrackAsync(cancellation: cancellation))
            Console.WriteLine($"frame {frame.Frame}: {frame.Objects[0].Area} pixels, score {frame.Objects[0].Score:0.00}");
    }
}
