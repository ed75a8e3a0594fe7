using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A ring of commands and the thread that does them in order. The thread knows this ring and nothing else while it waits, so that a queue
/// nobody holds any more is collected and its thread ends. Whatever is enqueued while the ring is empty and needs no worker is done at once
/// by the caller.
/// </summary>
internal sealed class CommandLoop
{
    /// <summary>Bytes of the host that a command can carry; larger writes wait until the ring is empty.</summary>
    public const int CarriedBytes = 2048;

    private const int Slots = 64, UsualNumbers = 16, SpinsBeforeParking = 50;

    private readonly object _gate = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Command[] _ring = new Command[Slots];
    // Kernels keep pointers into them.
    private readonly int[][] _numbers = [.. Enumerable.Range(0, Slots).Select(_ => GC.AllocateArray<int>(UsualNumbers, pinned: true))];
    private readonly List<(long First, long Position, TaskCompletionSource Reached)> _watchers = [];
    private readonly byte[] _carried = new byte[Slots * CarriedBytes];
    private readonly FailedStretches _failures = new();
    private readonly Precedence _precedence;
    private readonly bool _isUrgent;
    private readonly Thread _thread;
    private long _enqueued, _done, _awaited = long.MaxValue;
    private int _parked;
    private bool _stopping, _ended, _growing;

    public CommandLoop(string name, Precedence precedence, bool isUrgent)
    {
        (_precedence, _isUrgent) = (precedence, isUrgent);
        _thread = new Thread(Loop) { IsBackground = true, Name = $"sa2va queue {name}" };
        _thread.Start();
    }

    /// <summary>The thread that does the commands.</summary>
    public Thread Thread => _thread;

    /// <summary>True when the command in progress is the last one.</summary>
    public bool IsStopping => Volatile.Read(ref _stopping);

    /// <summary>The latest position: that of the last command enqueued.</summary>
    public long Position
    {
        get
        {
            lock (_gate) return _enqueued;
        }
    }

    public bool IsReached(long position) => Volatile.Read(ref _done) >= position;

    /// <summary>Enqueues a run with its numbers.</summary>
    public void Run(in Command command, ReadOnlySpan<int> numbers)
    {
        lock (_gate)
        {
            int slot = NextSlot();
            command.Hold();
            numbers.CopyTo(_numbers[slot]);
            Enqueue(slot, command);
        }
    }

    /// <summary>Enqueues a wait for another queue, or bytes to move between ends that stay as they are.</summary>
    /// <returns>Its position.</returns>
    public long Add(in Command command)
    {
        lock (_gate)
        {
            int slot = NextSlot();
            command.Hold();
            if (_done < _enqueued || command.Bytes == 0) return Enqueue(slot, command);
            MoveNow(command);
            return _done;
        }
    }

    /// <summary>Enqueues bytes of the host, which are taken now.</summary>
    public void Write(in Command command, ReadOnlySpan<byte> source)
    {
        lock (_gate)
        {
            int slot = NextSlot();
            if (source.Length > CarriedBytes) WaitUntilEmpty();
            command.Hold();
            if (_done == _enqueued)
            {
                if (!command.To.Buffer!.CountsOnly) command.To.Buffer.Fill(source, command.To.Offset);
                command.Release();
                return;
            }
            source.CopyTo(_carried.AsSpan(slot * CarriedBytes));
            Command carried = command;
            carried.From = new Command.End { Array = _carried, Offset = slot * CarriedBytes };
            Enqueue(slot, carried);
        }
    }

    /// <summary>Makes room for a plan's numbers in all slots, so that no run allocates.</summary>
    public void ReserveNumbers(int count)
    {
        if (count <= Volatile.Read(ref _numbers[0]).Length) return;
        // Kernels have pointers into the blocks of what is enqueued.
        WhileEmpty(() =>
        {
            int room = Math.Max(count, _numbers[0].Length);
            for (int i = 0; i < Slots; i++) _numbers[i] = GC.AllocateArray<int>(room, pinned: true);
        });
    }

    /// <summary>Does something while the ring is empty and nothing can be enqueued.</summary>
    public void WhileEmpty(Action action)
    {
        lock (_gate)
        {
            // Somebody who is always one command ahead would keep the ring from ever being empty.
            while (_growing) Monitor.Wait(_gate);
            _growing = true;
            try
            {
                WaitUntilEmpty();
                action();
            }
            finally
            {
                _growing = false;
                Monitor.PulseAll(_gate);
            }
        }
    }

    /// <summary>Waits for a position and then copies, before anything is enqueued behind it.</summary>
    public void Read(CpuBuffer from, long offset, Span<byte> destination)
    {
        lock (_gate)
        {
            ThrowIfStopping();
            from.Hold();
            try
            {
                WaitUntilEmpty();
                // As a command of its own: it fails with one that failed before it only until that has been reported.
                ThrowIfLost(_enqueued + 1, _enqueued + 1);
                from.Fetch(destination, offset);
            }
            finally
            {
                from.Release();
            }
        }
    }

    public void Wait(long first, long position)
    {
        lock (_gate)
        {
            WaitFor(position);
            ThrowIfLost(first, position);
        }
    }

    public Task WhenReached(long first, long position)
    {
        lock (_gate)
        {
            if (_done >= position || _ended)
            {
                try
                {
                    if (_done < position) ThrowStopped();
                    ThrowIfLost(first, position);
                    return Task.CompletedTask;
                }
                catch (Exception e)
                {
                    return Task.FromException(e);
                }
            }
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _watchers.Add((first, position, reached));
            _awaited = Math.Min(_awaited, position);
            return reached.Task;
        }
    }

    /// <summary>Ends the thread after the op in progress.</summary>
    /// <param name="wait">False from a finalizer.</param>
    public void Stop(bool wait)
    {
        Volatile.Write(ref _stopping, true);
        _wake.Release();
        if (wait && _thread != Thread.CurrentThread) _thread.Join();
    }

    private static void MoveNow(in Command command)
    {
        try
        {
            command.Move();
        }
        finally
        {
            command.Release();
        }
    }

    /// <summary>The slot of the next command, once it is free. Under the gate.</summary>
    private int NextSlot()
    {
        // Who waited for a slot looks again: others may have taken it, or the ring may be growing.
        while (true)
        {
            ThrowIfStopping();
            if (_growing) Monitor.Wait(_gate);
            else if (_enqueued - _done < Slots) return (int)(_enqueued % Slots);
            else WaitFor(_enqueued - Slots + 1);
        }
    }

    private long Enqueue(int slot, in Command command)
    {
        _ring[slot] = command;
        if (_isUrgent && _enqueued == _done) _precedence.Begin();
        Volatile.Write(ref _enqueued, _enqueued + 1);
        // The thread looks at the position after it has raised the flag, so one of the two sees the other.
        if (Interlocked.Exchange(ref _parked, 0) == 1) _wake.Release();
        return _enqueued;
    }

    private void WaitUntilEmpty()
    {
        while (_done < _enqueued) WaitFor(_enqueued);
    }

    /// <summary>Under the gate, which is let go meanwhile.</summary>
    private void WaitFor(long position)
    {
        while (_done < position)
        {
            // What the thread still works on may be memory of the one who waits.
            if (_ended) ThrowStopped();
            _awaited = Math.Min(_awaited, position);
            Monitor.Wait(_gate);
        }
    }

    private void ThrowIfStopping()
    {
        if (IsStopping) ThrowStopped();
    }

    private static void ThrowStopped() =>
        throw new ObjectDisposedException(nameof(CpuQueue), "The queue or its backend was closed.");

    /// <summary>
    /// A failure is reported to whoever waits for anything behind it; what is enqueued after the first report is good again.
    /// </summary>
    private void ThrowIfLost(long first, long position)
    {
        if (_failures.Report(first, position, _enqueued) is { } failure) failure.Throw();
    }

    private void Loop()
    {
        while (true)
        {
            for (int spins = 0; IsEmpty && !IsStopping && spins < SpinsBeforeParking; spins++) Thread.SpinWait(10);
            if (IsEmpty && !IsStopping)
            {
                Volatile.Write(ref _parked, 1);
                Interlocked.MemoryBarrier();
                if ((IsEmpty && !IsStopping) || Interlocked.Exchange(ref _parked, 0) == 0) _wake.Wait();
                continue;
            }
            if (IsStopping) break;
            DoNext();
        }
        lock (_gate)
        {
            if (_isUrgent && _done < _enqueued) _precedence.End();
            for (long next = _done; next < _enqueued; next++)
            {
                _ring[next % Slots].Release();
                _ring[next % Slots] = default;
            }
            // Those who wait see that their work was not done.
            _ended = true;
            Monitor.PulseAll(_gate);
            foreach ((_, _, TaskCompletionSource reached) in _watchers) Complete(reached, ThrowStopped);
            _watchers.Clear();
        }
    }

    private bool IsEmpty => Volatile.Read(ref _enqueued) == _done;

    // In a method of its own: a reference to a plan left in a waiting thread's frame would keep its backend alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void DoNext()
    {
        int slot = (int)(_done % Slots);
        Command command = _ring[slot];
        long position = _done + 1;
        try
        {
            if (!_failures.Covers(position)) Do(command, _numbers[slot]);
        }
        catch (Exception e)
        {
            _failures.Begin(position, e);
        }
        command.Release();
        _ring[slot] = default;
        lock (_gate)
        {
            Volatile.Write(ref _done, position);
            if (_isUrgent && position == _enqueued) _precedence.End();
            if (position < _awaited) return;
            _awaited = long.MaxValue;
            Monitor.PulseAll(_gate);
            for (int i = _watchers.Count - 1; i >= 0; i--)
            {
                (long first, long awaited, TaskCompletionSource reached) = _watchers[i];
                if (awaited > position) _awaited = Math.Min(_awaited, awaited);
                else
                {
                    _watchers.RemoveAt(i);
                    Complete(reached, () => ThrowIfLost(first, awaited));
                }
            }
        }
    }

    private static void Complete(TaskCompletionSource reached, Action check)
    {
        try
        {
            check();
            reached.SetResult();
        }
        catch (Exception e)
        {
            reached.SetException(e);
        }
    }

    private void Do(in Command command, int[] numbers)
    {
        if (command.Plan is { } plan)
        {
            if (!_isUrgent) _precedence.LetPass(this);
            plan.RunKernels(numbers, this, command.Progress, command.Cancellation);
        }
        else if (command.Bytes > 0) command.Move();
        else WaitForOther(command.Fence);
    }

    private void WaitForOther(Fence fence)
    {
        // What it waits for must not wait for it; an urgent queue does not, and between its end and what follows nothing shall slip in.
        bool givesWay = _isUrgent && fence.Queue is not CpuQueue { IsUrgent: true };
        if (givesWay) _precedence.End();
        try
        {
            fence.Wait();
        }
        finally
        {
            if (givesWay) _precedence.Begin();
        }
    }
}
