using Sa2VA.Core;
using Sa2VA.Engine.State;

namespace Sa2VA.Engine;

public sealed partial class VideoSession
{
    /// <summary>
    /// Saves all that the session is: its objects with what they remember, the newest frame, the conversation, what the language model is
    /// shown, its options (docs/session-state.md). <see cref="Sa2VAModel.RestoreVideo"/> goes on from there, in another process too, with
    /// the same bits. The session itself goes on as if nothing had been done; it can be used while the stream is being written to.
    /// </summary>
    /// <param name="stream">
    /// Written to from where it is; flushed, not closed. When this fails, what was written is incomplete, and refused when it is restored.
    /// </param>
    /// <param name="cancellation">Stops within the writing.</param>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    /// <exception cref="IOException">The stream cannot be written to.</exception>
    public void Save(Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        VideoState state;
        using (EnterFrame(cancellation, SessionPart.All)) state = new VideoState(Options, _tiles, CaptureConversation(), _stream.Capture());
        state.Write(stream, Model, cancellation);
    }

    /// <summary>Takes up another session; in this one nothing has happened yet.</summary>
    internal void Restore(VideoState state, CancellationToken cancellation)
    {
        Restore(state.Conversation);
        _stream.Restore(state.Stream, cancellation);
    }
}
