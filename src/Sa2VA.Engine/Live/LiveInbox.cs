using System.Diagnostics.CodeAnalysis;

namespace Sa2VA.Engine;

/// <summary>What became of a frame.</summary>
internal enum FrameOutcome { Tracked, Expired, Cancelled, Failed }

/// <summary>
/// What waits for the thread of a live stream: frames, as many as may, and commands, which go first, before them what is to be told. It
/// counts what becomes of frames, all under one lock, so that the counts of any moment add up.
/// </summary>
internal sealed class LiveInbox(LiveOptions options)
{
    private readonly int _capacity = options.Policy == QueuePolicy.KeepLatest ? 1 : options.Capacity;
    private readonly object _gate = new();
    private readonly Queue<LiveFrame> _frames = [];
    private readonly Queue<LiveCommand> _commands = [];
    private readonly Queue<LiveNotice> _notices = [];
    private readonly LinkedList<(LiveFrame Frame, TaskCompletionSource Done)> _pushers = [];
    private readonly Stack<LiveFrame> _spare = [];
    private readonly long[] _outcomes = new long[4];
    private readonly LatencyWindow _latencies = new();
    private long _pushed, _dropped, _inWork;
    private bool _isCompleted;
    private Exception? _end;

    /// <summary>What became of the frames until now.</summary>
    public LiveCounters Counters
    {
        get
        {
            lock (_gate)
            {
                (TimeSpan p50, TimeSpan p95, TimeSpan p99) = _latencies.Percentiles();
                return new LiveCounters
                {
                    Pushed = _pushed, Waiting = _frames.Count + _pushers.Count + _inWork, Dropped = _dropped,
                    Tracked = _outcomes[(int)FrameOutcome.Tracked], Expired = _outcomes[(int)FrameOutcome.Expired],
                    Cancelled = _outcomes[(int)FrameOutcome.Cancelled], Failed = _outcomes[(int)FrameOutcome.Failed],
                    LatencyP50 = p50, LatencyP95 = p95, LatencyP99 = p99,
                };
            }
        }
    }

    /// <summary>Memory for a frame.</summary>
    public LiveFrame Rent()
    {
        lock (_gate) return _spare.TryPop(out LiveFrame? spare) ? spare : new LiveFrame();
    }

    /// <summary>Adds a frame, or makes its pusher wait.</summary>
    /// <returns>Ends when the frame waits here.</returns>
    public ValueTask Push(LiveFrame frame)
    {
        LinkedListNode<(LiveFrame, TaskCompletionSource Done)> pusher;
        lock (_gate)
        {
            if (_isCompleted || _end is not null)
            {
                Recycle(frame);
                throw _end ?? new ObjectDisposedException(nameof(LiveVideo), "The live stream takes no frames any more.");
            }
            _pushed++;
            if (_frames.Count < _capacity || options.Policy != QueuePolicy.Wait)
            {
                if (_frames.Count == _capacity)
                {
                    _dropped++;
                    Recycle(_frames.Dequeue());
                }
                _frames.Enqueue(frame);
                Monitor.PulseAll(_gate);
                return default;
            }
            pusher = _pushers.AddLast((frame, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)));
        }
        return new ValueTask(WaitAsync(pusher, frame.Cancellation));
    }

    /// <summary>Adds a command.</summary>
    public void Add(LiveCommand command)
    {
        lock (_gate)
        {
            if (!_isCompleted && _end is null)
            {
                _commands.Enqueue(command);
                Monitor.PulseAll(_gate);
                return;
            }
        }
        command.Fail(_end ?? new ObjectDisposedException(nameof(LiveVideo), "The live stream has ended."));
    }

    /// <summary>Adds what is to be told; taken as long as the stream has not ended, since frames that wait may depend on it.</summary>
    public void Add(LiveNotice notice)
    {
        lock (_gate)
        {
            if (_end is not null) return;
            _notices.Enqueue(notice);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Takes what is to be told, if there is anything.</summary>
    public bool TakeNotice([NotNullWhen(true)] out LiveNotice? notice)
    {
        lock (_gate) return _notices.TryDequeue(out notice);
    }

    /// <summary>Waits for the next command or frame.</summary>
    /// <returns>False when there will be none.</returns>
    public bool Take(out LiveFrame? frame, out LiveCommand? command)
    {
        frame = null;
        lock (_gate)
        {
            while (true)
            {
                if (_notices.TryDequeue(out LiveNotice? notice))
                {
                    command = notice;
                    return true;
                }
                if (_commands.TryDequeue(out command)) return true;
                if (_end is null && _frames.TryDequeue(out frame))
                {
                    _inWork = 1;
                    if (_pushers.First is { } pusher)
                    {
                        _pushers.RemoveFirst();
                        _frames.Enqueue(pusher.Value.Frame);
                        pusher.Value.Done.SetResult();
                    }
                    return true;
                }
                if (_isCompleted || _end is not null) return false;
                Monitor.Wait(_gate);
            }
        }
    }

    /// <summary>Counts the frame that was taken last.</summary>
    public void Finish(LiveFrame frame, FrameOutcome outcome, TimeSpan latency = default)
    {
        lock (_gate)
        {
            _inWork = 0;
            _outcomes[(int)outcome]++;
            if (outcome == FrameOutcome.Tracked) _latencies.Add(latency);
            Recycle(frame);
        }
    }

    /// <summary>Takes no further frames; what waits is still taken.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _isCompleted = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Takes nothing any more; what waits is dropped.</summary>
    /// <param name="end">What whoever pushes is told.</param>
    public void Close(Exception end)
    {
        LiveCommand[] commands;
        lock (_gate)
        {
            if (_end is not null) return;
            _end = end;
            _dropped += _frames.Count + _pushers.Count;
            while (_frames.TryDequeue(out LiveFrame? frame)) Recycle(frame);
            foreach ((LiveFrame frame, TaskCompletionSource done) in _pushers)
            {
                Recycle(frame);
                done.SetException(end);
            }
            _pushers.Clear();
            commands = [.. _commands];
            _commands.Clear();
            _notices.Clear();
            Monitor.PulseAll(_gate);
        }
        foreach (LiveCommand command in commands) command.Fail(end);
    }

    private async Task WaitAsync(LinkedListNode<(LiveFrame Frame, TaskCompletionSource Done)> pusher, CancellationToken cancellation)
    {
        using CancellationTokenRegistration registration = cancellation.UnsafeRegister(_ =>
        {
            lock (_gate)
            {
                // It may have got its place meanwhile; then it is skipped when its turn comes.
                if (pusher.List is null) return;
                _pushers.Remove(pusher);
                _outcomes[(int)FrameOutcome.Cancelled]++;
                Recycle(pusher.Value.Frame);
                pusher.Value.Done.SetCanceled(cancellation);
            }
        }, null);
        await pusher.Value.Done.Task.ConfigureAwait(false);
    }

    private void Recycle(LiveFrame frame)
    {
        frame.Clear();
        _spare.Push(frame);
    }
}
