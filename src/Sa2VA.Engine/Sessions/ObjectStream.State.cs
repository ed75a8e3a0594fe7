using Sa2VA.Engine.State;
using Sa2VA.Models;

namespace Sa2VA.Engine;

internal sealed partial class ObjectStream
{
    /// <summary>All that the stream is between two frames. Waits for the device.</summary>
    public StreamState Capture() => new()
    {
        Frames = Frames,
        Size = Video.Size,
        Levels = Video.ReadLevels(),
        Recent = Recent.Latest(Recent.Count),
        LostFrames = LostFrames,
        Named = [.. _named],
        Tracks = Video.Capture(),
    };

    /// <summary>Takes up another stream; this one has had no frame yet, and no object.</summary>
    public void Restore(StreamState state, CancellationToken cancellation)
    {
        Video.Restore(state, cancellation);
        foreach (RgbImage frame in state.Recent)
        {
            Recent.Reserve(frame.Width, frame.Height);
            Recent.Keep(frame.View);
        }
        _named.AddRange(state.Named);
        LostFrames = state.LostFrames;
    }
}
