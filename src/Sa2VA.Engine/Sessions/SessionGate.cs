using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>
/// A session has one caller at a time: the second one is told so instead of spoiling the first one's state. A session that is closed in the
/// middle of a call, by another thread or by a callback, lets the call end before its memory goes.
/// </summary>
/// <param name="release">Frees what the session owns; called once.</param>
internal sealed class SessionGate(Action release)
{
    private const int Free = 0, Busy = 1, Closing = 2, Closed = 3;

    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state;

    /// <summary>Ends when the session's memory is free.</summary>
    public Task Released => _released.Task;

    /// <summary>True if the session was closed and its memory goes when the running call ends.</summary>
    public bool IsClosing => Volatile.Read(ref _state) == Closing;

    /// <summary>Begins a call; dispose the result to end it.</summary>
    /// <param name="session">For the message.</param>
    /// <exception cref="SessionBusyException">A call is running.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public Entry Enter(object session)
    {
        int was = Interlocked.CompareExchange(ref _state, Busy, Free);
        ObjectDisposedException.ThrowIf(was >= Closing, session);
        if (was == Busy)
            throw new SessionBusyException("This session is busy with another call; wait for it, or open a session per caller.");
        return new Entry(this);
    }

    /// <summary>Ends the session, now or when the running call ends.</summary>
    public void Close()
    {
        int was = Interlocked.CompareExchange(ref _state, Closed, Free);
        if (was == Free) Release();
        // The running call may end in between; then nobody else will free the memory.
        else if (was == Busy && Interlocked.CompareExchange(ref _state, Closing, Busy) == Free) Close();
    }

    private void Exit()
    {
        if (Interlocked.CompareExchange(ref _state, Free, Busy) != Closing) return;
        Volatile.Write(ref _state, Closed);
        Release();
    }

    private void Release()
    {
        try
        {
            release();
        }
        finally
        {
            _released.TrySetResult();
        }
    }

    public readonly struct Entry(SessionGate gate) : IDisposable
    {
        public void Dispose() => gate.Exit();
    }
}
