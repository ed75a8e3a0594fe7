using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Cuda;

/// <summary>
/// A stream. What the host writes and reads goes through page-locked memory; a read's bytes are in their array once somebody has seen its
/// fence reached. Nothing on the way of a run, a write or a read allocates once it is warm. Of what is enqueued behind a run that failed,
/// only writes of the host still happen: they build on nothing.
/// </summary>
internal sealed unsafe class CudaQueue : DeviceQueue
{
    private const int ChunkBytes = 1 << 20;
    private const long ArenaRoom = 1L << 33;

    private readonly object _gate = new();
    private readonly StreamMarks _marks;
    private readonly Queue<PendingRead> _reads = new(64);
    private readonly FailedStretches _failures = new();
    private readonly PinnedRing _staging = null!;
    private readonly CudaMemory _arena;
    private readonly QueueFaults _faults;
    private readonly StreamWatch _watch;
    private readonly CudaFunction? _copy;
    private readonly LaunchTrail _trail;
    private long _position, _closedAt = long.MaxValue;
    private bool _isLost;
    private LaunchTimer? _timer;
    private int _followers, _isDisposed;

    public CudaQueue(CudaBackend backend, string name, QueuePriority priority)
    {
        (Backend, Name) = (backend, name);
        _watch = new StreamWatch(this);
        _marks = new StreamMarks(backend);
        _trail = new LaunchTrail(name, _marks);
        _arena = CudaMemory.Reserve(backend, MemoryPurpose.Arena, ArenaRoom, $"the intermediates of queue '{name}'");
        _faults = new QueueFaults(this);
        if (backend.Account.CountsOnly) return;
        using CudaContext.Scope scope = backend.Context.Enter();
        CudaDriver driver = backend.Context.Driver;
        int least, greatest;
        backend.Context.Check(driver.CtxGetStreamPriorityRange(&least, &greatest), "asking for priorities");
        Stream = backend.CreateStream(priority == QueuePriority.Urgent ? greatest : least);
        backend.Context.Trails[Stream] = _trail;
        _copy = backend.Modules.Function("copy_bytes", "copy_bytes");
        _staging = new PinnedRing(backend.Context);
        _staging.Grow(0);
    }

    public CudaBackend Backend { get; }

    public override string Name { get; }

    public nint Stream { get; }

    /// <summary>Where intermediates lie, of whichever plan is running.</summary>
    public ulong Arena => _arena.Address;

    /// <summary>Where a check on the device writes what it found.</summary>
    public ulong Fault => _faults.Address;

    private bool CountsOnly => Backend.Account.CountsOnly;

    private bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    public override void Reserve(ExecutionPlan plan)
    {
        if (plan is not CudaPlan own || own.Backend != Backend)
            throw new GraphException($"{plan.Graph.Name} was compiled by another backend than that of queue '{Name}'.");
        lock (_gate)
        {
            ThrowIfDisposed();
            _arena.Commit(own.ArenaBytes, $"the intermediates of {own.Graph.Name}");
        }
    }

    public override void Write<T>(DeviceBuffer to, ReadOnlySpan<T> source, long offset = 0)
    {
        to.CheckRange<T>(source.Length, offset);
        ulong target = AddressOf(to, offset);
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        if (CountsOnly || bytes.IsEmpty) return;
        lock (_gate)
        {
            ThrowIfDisposed();
            using CudaContext.Scope scope = Backend.Context.Enter();
            while (!bytes.IsEmpty)
            {
                int n = Math.Min(bytes.Length, ChunkBytes);
                byte* staged = Stage(n);
                bytes[..n].CopyTo(new Span<byte>(staged, n));
                Check(Backend.Context.Driver.MemcpyHtoDAsync(target, staged, (nuint)n, Stream), "a write");
                _position++;
                bytes = bytes[n..];
                target += (ulong)n;
            }
        }
    }

    public override void Copy(DeviceBuffer from, long fromOffset, DeviceBuffer to, long toOffset, long count)
    {
        from.CheckRange(count, fromOffset);
        to.CheckRange(count, toOffset);
        if (from.Type != to.Type)
            throw new ArgumentException($"Buffers '{from.Name}' {from.Type} and '{to.Name}' {to.Type} differ in type.");
        ulong source = AddressOf(from, fromOffset), target = AddressOf(to, toOffset);
        if (CountsOnly || count == 0) return;
        lock (_gate)
        {
            ThrowIfDisposed();
            using CudaContext.Scope scope = Backend.Context.Enter();
            // A kernel, so that nothing is copied behind a run that failed.
            Begin(null);
            CopyBytes.Launch(_copy!, this, source, target, count * from.Type.Size());
            _position++;
        }
    }

    public override void Run(BoundPlan plan, CancellationToken cancellation = default)
    {
        if (plan is not CudaBoundPlan own || own.Queue != this)
            throw new GraphException($"{plan.Graph.Name} is not bound to queue '{Name}'.");
        plan.CheckRun();
        if (CountsOnly) throw new DeviceException("This backend counts memory and runs nothing.");
        lock (_gate)
        {
            ThrowIfDisposed();
            own.ThrowIfGone();
            if (cancellation.IsCancellationRequested) return;
            using CudaContext.Scope scope = Backend.Context.Enter();
            int bytes = (CudaBoundPlan.HeaderLength + own.Numbers.Length) * sizeof(int);
            byte* staged = Stage(bytes);
            *(long*)staged = _position + 1;
            own.Numbers.CopyTo(new Span<int>(staged + CudaBoundPlan.HeaderLength * sizeof(int), own.Numbers.Length));
            Check(Backend.Context.Driver.MemcpyHtoDAsync(own.Block, staged, (nuint)bytes, Stream), "the numbers of", own.Graph.Name);
            Begin(own.Graph.Name);
            own.Launch(_trail);
            _position++;
        }
    }

    public override Fence BeginRead<T>(DeviceBuffer from, T[] destination, long offset = 0)
    {
        ArgumentNullException.ThrowIfNull(destination);
        from.CheckRange<T>(destination.Length, offset);
        ulong source = AddressOf(from, offset);
        if (CountsOnly || destination.Length == 0)
        {
            Array.Clear(destination);
            return default;
        }
        lock (_gate)
        {
            ThrowIfDisposed();
            using CudaContext.Scope scope = Backend.Context.Enter();
            long bytes = destination.Length * (long)sizeof(T);
            byte* staged = Stage(bytes);
            Check(Backend.Context.Driver.MemcpyDtoHAsync(staged, source, (nuint)bytes, Stream), "a read");
            _reads.Enqueue(new PendingRead(++_position, (nint)staged, destination, bytes));
            return AddMark();
        }
    }

    public override void Read<T>(DeviceBuffer from, Span<T> destination, long offset = 0)
    {
        from.CheckRange<T>(destination.Length, offset);
        ulong source = AddressOf(from, offset);
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        if (CountsOnly) bytes.Clear();
        if (CountsOnly || bytes.IsEmpty) return;
        long first, last = 0;
        lock (_gate)
        {
            ThrowIfDisposed();
            using CudaContext.Scope scope = Backend.Context.Enter();
            first = _position + 1;
            while (!bytes.IsEmpty)
            {
                int n = Math.Min(bytes.Length, ChunkBytes);
                byte* staged = Stage(n);
                Check(Backend.Context.Driver.MemcpyDtoHAsync(staged, source, (nuint)n, Stream), "a read");
                _position++;
                AddMark();
                WaitHere(_position);
                last = _position;
                if (_failures.Covers(last)) break;
                new ReadOnlySpan<byte>(staged, n).CopyTo(bytes);
                bytes = bytes[n..];
                source += (ulong)n;
            }
        }
        ThrowIfLost(first, last);
    }

    public override Fence Mark()
    {
        if (CountsOnly) return default;
        lock (_gate)
        {
            ThrowIfDisposed();
            using CudaContext.Scope scope = Backend.Context.Enter();
            return AddMark();
        }
    }

    /// <summary>The position behind everything that was enqueued so far, marked; 0 if nothing of it can happen any more.</summary>
    public long End()
    {
        lock (_gate)
        {
            if (IsDisposed || CountsOnly || _isLost) return 0;
            using CudaContext.Scope scope = Backend.Context.Enter();
            try
            {
                return AddMark().Position;
            }
            catch (DeviceException) when (_isLost)
            {
                return 0;
            }
        }
    }

    /// <summary>True once nothing up to a position can happen any more.</summary>
    public bool IsBehind(long position) => IsDisposed || IsReached(position);

    public override void WaitFor(Fence fence)
    {
        if (fence.Queue is null || fence.Queue == this || CountsOnly) return;
        if (fence.Queue is not CudaQueue other || other.Backend != Backend)
            throw new GraphException($"Queue '{fence.Queue.Name}' belongs to another backend than queue '{Name}'.");
        if (!other.TryFollow(fence.Position, out nint awaited)) return;
        try
        {
            lock (_gate)
            {
                ThrowIfDisposed();
                using CudaContext.Scope scope = Backend.Context.Enter();
                if (awaited != 0) Check(Backend.Context.Driver.StreamWaitEvent(Stream, awaited, 0), "waiting for queue", other.Name);
                Begin(null);
                _faults.Carry(fence, other._faults, _position + 1);
                _position++;
            }
        }
        finally
        {
            other.LetGo();
        }
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        if (!CountsOnly)
        {
            lock (_gate)
            {
                while (_followers > 0) Monitor.Wait(_gate);
                _closedAt = _marks.Reached;
                if (!_isLost)
                {
                    using CudaContext.Scope scope = Backend.Context.Enter();
                    CudaDriver driver = Backend.Context.Driver;
                    CudaResult end = driver.StreamSynchronize(Stream);
                    if (end == CudaResult.Success) Settle();
                    else Lose(end);
                    _staging.Free();
                    _marks.Destroy();
                    _timer?.Destroy();
                    driver.StreamDestroy(Stream);
                }
                Backend.Context.Trails.TryRemove(Stream, out _);
            }
            _watch.Stop();
        }
        _arena.Free();
        _faults.Free();
        Backend.Forget(this);
    }

    protected internal override bool IsReached(long position)
    {
        if (CountsOnly) return true;
        if (position > Volatile.Read(ref _closedAt)) return false;
        if (Volatile.Read(ref _marks.Reached) >= position) return true;
        lock (_gate)
        {
            if (IsDisposed) return false;
            using CudaContext.Scope scope = Backend.Context.Enter();
            Settle();
            return _marks.Reached >= position;
        }
    }

    protected internal override void Wait(long first, long position)
    {
        if (CountsOnly) return;
        WaitOutside(position);
        ThrowIfLost(first, position);
    }

    protected internal override Task WhenReached(long first, long position)
    {
        if (CountsOnly) return Task.CompletedTask;
        if (!IsReached(position)) return _watch.Add(first, position);
        return LossOf(first, position) is { } loss ? Task.FromException(loss) : Task.CompletedTask;
    }

    /// <summary>Waits for a position without holding up who enqueues.</summary>
    internal void WaitOutside(long position)
    {
        while (true)
        {
            nint awaited;
            lock (_gate)
            {
                // What is still enqueued when a queue is closed happens, but nobody is told.
                if (position > _closedAt) ThrowIfDisposed();
                if (_marks.Reached >= position) return;
                using CudaContext.Scope scope = Backend.Context.Enter();
                Settle();
                if (_marks.Reached >= position) return;
                awaited = _marks.EventFor(position);
                _marks.Hold();
            }
            CudaResult result;
            try
            {
                using CudaContext.Scope scope = Backend.Context.Enter();
                result = Backend.Context.Driver.EventSynchronize(awaited);
            }
            finally
            {
                lock (_gate) _marks.LetGo();
            }
            lock (_gate)
            {
                if (result != CudaResult.Success) Lose(result);
            }
        }
    }

    /// <summary>Reports a failure to whoever waits for a stretch of positions; null if there was none.</summary>
    internal Exception? LossOf(long first, long position) => Tell(first, position)?.SourceException;

    /// <summary>The event behind a position, 0 if that is reached; false if the queue is closed, which it is not before LetGo.</summary>
    private bool TryFollow(long position, out nint awaited)
    {
        awaited = 0;
        lock (_gate)
        {
            if (IsDisposed) return false;
            if (_marks.Reached < position) awaited = _marks.EventFor(position);
            _marks.Hold();
            _followers++;
        }
        return true;
    }

    private void LetGo()
    {
        lock (_gate)
        {
            _marks.LetGo();
            if (--_followers == 0) Monitor.PulseAll(_gate);
        }
    }

    /// <summary>A fence behind what is enqueued. In gate and context.</summary>
    private Fence AddMark()
    {
        if (_marks.Reached >= _position || _marks.Latest == _position) return FenceAt(_position);
        Check(_faults.Look(), "a fence");
        _marks.Add(_position, _staging.Taken, Stream);
        return FenceAt(_position);
    }

    /// <summary>Page-locked bytes for something that is enqueued next. In gate and context.</summary>
    private byte* Stage(long bytes)
    {
        while (!_staging.Fits(bytes))
        {
            AddMark();
            if (_marks.Reached >= _position)
            {
                _staging.ReleaseTo(_staging.Taken);
                if (!_staging.Fits(bytes)) _staging.Grow(bytes);
            }
            else WaitHere(_marks.Oldest);
        }
        return _staging.Take(bytes);
    }

    private void WaitHere(long position)
    {
        while (_marks.Reached < position)
        {
            CudaResult result = Backend.Context.Driver.EventSynchronize(_marks.EventFor(position));
            if (result != CudaResult.Success) Lose(result);
            else Settle();
        }
    }

    /// <summary>Takes note of what has been reached. In gate and context.</summary>
    private void Settle()
    {
        while (_marks.TryPass(out StreamMarks.Mark mark, out CudaResult result))
        {
            while (_reads.TryPeek(out PendingRead read) && read.Position <= mark.Position)
            {
                _reads.Dequeue();
                read.Complete();
            }
            _staging.ReleaseTo(mark.Staged);
            _timer?.Pass(mark.Position);
            _faults.Settle(mark.Position, _failures);
        }
        if (_marks.Error != CudaResult.Success) Lose(_marks.Error);
    }

    /// <summary>Takes note of what is launched next, and has it timed if that is asked for. In gate and context.</summary>
    private void Begin(string? graph)
    {
        _trail.Begin(_position + 1, graph);
        Timeline? asked = Backend.Timeline;
        if (_timer?.Timeline == asked) return;
        _timer?.Destroy();
        _timer = asked is null ? null : new LaunchTimer(Backend.Context, asked, Name, Stream, _trail, SettleTimes);
    }

    /// <summary>Has the timer note what has run.</summary>
    private void SettleTimes()
    {
        lock (_gate)
        {
            if (IsDisposed || _isLost) return;
            using CudaContext.Scope scope = Backend.Context.Enter();
            Settle();
        }
    }

    /// <summary>The context is lost: nothing that was not reached ever will be.</summary>
    private void Lose(CudaResult result)
    {
        // Some drivers take work of a lost context all the same.
        if (_isLost && _marks.Reached >= _position) return;
        _isLost = true;
        _failures.Begin(_marks.Reached + 1, Backend.Context.Failure(result, $"work of queue '{Name}'"));
        _reads.Clear();
        _marks.GiveUp(_position);
    }

    /// <summary>Throws the failure of a stretch of positions, if there was one. Outside the gate.</summary>
    private void ThrowIfLost(long first, long position) => Tell(first, position)?.Throw();

    /// <summary>
    /// The failure of a stretch, of which whoever asks is told: what is enqueued from now on runs again, here and in the queue that it came
    /// from.
    /// </summary>
    private ExceptionDispatchInfo? Tell(long first, long position)
    {
        Fence cause = default;
        ExceptionDispatchInfo? failure;
        lock (_gate)
        {
            failure = _failures.Report(first, position, _position);
            if (failure is null) return null;
            if (!IsDisposed && !_isLost)
            {
                using CudaContext.Scope scope = Backend.Context.Enter();
                cause = _faults.Tell(failure.SourceException, bytes => (nint)Stage(bytes), _position);
            }
        }
        // The other queue's host side may not have looked yet.
        if (cause.Queue is CudaQueue other && other.IsReached(cause.Position)) other.Tell(cause.First, cause.Position);
        return failure;
    }

    private void Check(CudaResult result, string what, string? of = null)
    {
        if (result == CudaResult.Success) return;
        DeviceException failure = Backend.Context.Failure(result, of is null ? what : $"{what} {of}");
        if (Backend.Context.Fault is not null) Lose(result);
        throw failure;
    }

    private void ThrowIfDisposed()
    {
        if (IsDisposed) throw new ObjectDisposedException(nameof(CudaQueue), "The queue or its backend was closed.");
    }

    private ulong AddressOf(DeviceBuffer buffer, long offset) => buffer is CudaBuffer own && own.Backend == Backend
        ? own.Address + (ulong)(offset * buffer.Type.Size())
        : throw new GraphException($"Buffer '{buffer.Name}' belongs to another backend than queue '{Name}'.");
}
