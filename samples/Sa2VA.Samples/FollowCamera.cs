using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Samples;

internal static class FollowCamera
{
    /// <summary>
    /// Follows an object through frames in memory of the caller: blue, green, red, alpha, rows perhaps padded, as cameras and windows give
    /// them.
    /// </summary>
    public static void Run(Sa2VAModel model, IReadOnlyList<byte[]> frames, int width, int height, int stride,
        CancellationToken cancellation)
    {
        ImageView View(int i) => new(frames[i], width, height, PixelFormat.Bgra32, stride);

        // The language model sees the first frame; one set of masks serves all frames, so a warm frame allocates nothing.
        using VideoSession session = model.OpenVideo([View(0).ToImage()], new VideoOptions { ReuseMasks = true }, cancellation);
        session.Ask("Please segment the red circle.", cancellation: cancellation);
        for (int i = 0; i < frames.Count; i++)
        {
            FrameMasks masks = session.Next(View(i), cancellation);
            foreach (ObjectMask o in masks.Objects) Console.WriteLine($"frame {masks.Frame}, object {o.Id}: {o.Area} pixels");
        }
    }
}
