using Sa2VA.Engine.Language;
using Sa2VA.Engine.State;

namespace Sa2VA.Engine;

public sealed partial class VideoSession
{
    /// <summary>The same conversation and stream, with nothing in either yet.</summary>
    private VideoSession(VideoSession other) : base(other.Model, null)
    {
        (_tiles, Options) = (other._tiles, other.Options);
        try
        {
            _stream = new ObjectStream(Model.Segmentation, Options);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override VideoSession Fork()
    {
        using SessionGate.Entry gate = EnterFrame(CancellationToken.None, SessionPart.All);
        StreamState stream = _stream.Capture();
        VideoSession fork = TakeUp(new VideoSession(this));
        try
        {
            fork._stream.Restore(stream, CancellationToken.None);
            return fork;
        }
        catch
        {
            fork.Dispose();
            throw;
        }
    }
}
