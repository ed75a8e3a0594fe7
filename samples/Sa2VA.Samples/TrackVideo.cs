using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Samples;

internal static class TrackVideo
{
    /// <summary>Names two objects and follows them through a video, a frame at a time.</summary>
    public static async Task RunAsync(string modelFolder, string videoPath, CancellationToken cancellation)
    {
        using Sa2VAModel model = Sa2VAModel.Load(modelFolder, new CpuDevice());
        using VideoSource video = VideoSource.Open(videoPath);

        // The language model sees the first five frames; they are read and shrunk one by one.
        using VideoSession session = model.OpenVideo(FrameSelection.First.Indices(video.FrameCount).Select(i => video.Read(i)));
        session.Ask("Please segment the red circle.", cancellation: cancellation);
        session.Ask("Please segment the blue star.", cancellation: cancellation);

        await foreach (FrameMasks frame in session.TrackAsync(video.Frames(cancellation: cancellation), cancellation))
        {
            foreach (ObjectMask o in frame.Objects)
                Console.WriteLine($"frame {frame.Frame}, object {o.Id}: {o.Area} pixels, present {o.Present:P0}");
        }
    }
}
