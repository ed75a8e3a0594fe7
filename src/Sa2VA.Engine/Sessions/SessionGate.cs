using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>A session has one caller at a time: the second one is told so instead of spoiling the first one's state.</summary>
internal sealed class SessionGate
{
    private int _busy;

    public Entry Enter()
    {
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new PromptException("This session is busy with another call; wait for it, or open a session per caller.");
        return new Entry(this);
    }

    public readonly struct Entry(SessionGate gate) : IDisposable
    {
        public void Dispose() => Volatile.Write(ref gate._busy, 0);
    }
}
