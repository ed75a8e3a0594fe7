using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>What calls of a session have to do with, and exclude each other from.</summary>
[Flags]
internal enum SessionPart
{
    /// <summary>The conversation, and what the language model sees.</summary>
    Chat = 1,
    /// <summary>Frames, and the objects on them.</summary>
    Stream = 2,
    /// <summary>All that is the session's state.</summary>
    All = Chat | Stream,
    /// <summary>Questions that are asked again, beside the conversation.</summary>
    Aside = 4,
}

/// <summary>
/// A part of a session has one caller at a time: the second one is told so instead of spoiling the first one's state. Questions and frames
/// go on side by side; what a question has to change in the stream waits for the end of the frame that is in work, and a frame waits for
/// what is being changed. A session that is closed in the middle of a call, by another thread or by a callback, lets the call end before
/// its memory goes.
/// </summary>
/// <param name="release">Frees what the session owns; called once.</param>
internal sealed class SessionGate(Action release)
{
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<(Action Change, TaskCompletionSource Done)> _changes = [];
    private readonly Queue<TaskCompletionSource<Entry>> _turns = [];
    private readonly object _lock = new();
    private SessionPart _busy;
    private bool _isChanging, _isClosing, _isReleased;

    /// <summary>Ends when the session's memory is free.</summary>
    public Task Released => _released.Task;

    /// <summary>True if the session was closed and its memory goes when the running calls end.</summary>
    public bool IsClosing
    {
        get
        {
            lock (_lock) return _isClosing && !_isReleased;
        }
    }

    /// <summary>Begins a call, behind a change of the stream that is in work; dispose the result to end it.</summary>
    /// <param name="session">For the message.</param>
    /// <param name="part">What the call has to do with.</param>
    /// <exception cref="SessionBusyException">A call is running that has to do with that too.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public Entry Enter(object session, SessionPart part = SessionPart.All)
    {
        lock (_lock)
        {
            while (_isChanging && (_busy & part) == SessionPart.Stream && !_isClosing) Monitor.Wait(_lock);
            ObjectDisposedException.ThrowIf(_isClosing, session);
            if ((_busy & part) != 0)
                throw new SessionBusyException("This session is busy with another call; wait for it, or open a session per caller.");
            _busy |= part;
        }
        return new Entry(this, part);
    }

    /// <summary>
    /// Changes the stream between two frames: at once, or when the frame in work is through. For a call that keeps the session open.
    /// </summary>
    /// <param name="change">Short, and without waiting for anything: nothing else can begin or end meanwhile.</param>
    public Task BetweenFramesAsync(Action change)
    {
        lock (_lock)
        {
            if ((_busy & SessionPart.Stream) == 0)
            {
                change();
                return Task.CompletedTask;
            }
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _changes.Enqueue((change, done));
            return done.Task;
        }
    }

    /// <summary>
    /// Has the stream to itself between two frames, for a change that takes its time: at once, or when the frame in work is through.
    /// Whoever comes meanwhile waits. For a call that keeps the session open.
    /// </summary>
    /// <returns>Dispose it to go on with frames.</returns>
    public Task<Entry> EnterBetweenFramesAsync()
    {
        lock (_lock)
        {
            if ((_busy & SessionPart.Stream) == 0)
            {
                (_busy, _isChanging) = (_busy | SessionPart.Stream, true);
                return Task.FromResult(new Entry(this, SessionPart.Stream));
            }
            var turn = new TaskCompletionSource<Entry>(TaskCreationOptions.RunContinuationsAsynchronously);
            _turns.Enqueue(turn);
            return turn.Task;
        }
    }

    /// <summary>Ends the session, now or when the running calls end.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosing = true;
            Monitor.PulseAll(_lock);
            if (_busy != 0 || _isReleased) return;
            _isReleased = true;
        }
        Release();
    }

    private void Exit(SessionPart part)
    {
        lock (_lock)
        {
            if ((part & SessionPart.Stream) != 0) part = EndStream(part);
            _busy &= ~part;
            if (!_isClosing || _busy != 0 || _isReleased) return;
            _isReleased = true;
        }
        Release();
    }

    /// <summary>The frame or change is through: what waits for that comes next.</summary>
    /// <returns>What is free then.</returns>
    private SessionPart EndStream(SessionPart part)
    {
        while (_changes.TryDequeue(out (Action Change, TaskCompletionSource Done) next)) Complete(next.Change, next.Done);
        _isChanging = _turns.TryDequeue(out TaskCompletionSource<Entry>? turn);
        turn?.SetResult(new Entry(this, SessionPart.Stream));
        if (!_isChanging) Monitor.PulseAll(_lock);
        return _isChanging ? part & ~SessionPart.Stream : part;
    }

    private static void Complete(Action change, TaskCompletionSource done)
    {
        try
        {
            change();
            done.SetResult();
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
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

    public readonly struct Entry(SessionGate gate, SessionPart part) : IDisposable
    {
        public void Dispose() => gate.Exit(part);
    }
}
