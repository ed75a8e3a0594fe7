using Sa2VA.Core;

namespace Sa2VA.Engine;

public sealed partial class VideoSession
{
    /// <summary>
    /// Forgets objects, memory and conversation: the session is, to the last bit, a new one that is shown the same frames, with the buffers
    /// that it has. The next frame counts as 0, the next object as 0.
    /// </summary>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public void Reset()
    {
        using SessionGate.Entry gate = EnterFrame(CancellationToken.None, SessionPart.All);
        ForgetConversation();
        _stream.Reset();
    }
}
