using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A queue of the CPU: a thread that does the commands in order, together with the backend's workers. Queues take turns with the workers
/// between ops.
/// </summary>
internal sealed class CpuQueue : DeviceQueue
{
    private readonly AlignedMemory _arena;
    private readonly CommandLoop? _loop;
    private int _isDisposed;

    /// <param name="backend">Its backend.</param>
    /// <param name="name">Name for messages.</param>
    /// <param name="priority">Who goes first.</param>
    public CpuQueue(CpuBackend backend, string name, QueuePriority priority)
    {
        (Backend, Name, IsUrgent) = (backend, name, priority == QueuePriority.Urgent);
        _arena = new AlignedMemory(backend.Account, MemoryPurpose.Arena, 0, "");
        if (!backend.Account.CountsOnly) _loop = new CommandLoop(name, backend.Precedence, IsUrgent);
    }

    /// <summary>A queue that nobody disposed: its thread is told to end, and not waited for.</summary>
    ~CpuQueue() => _loop?.Stop(wait: false);

    public CpuBackend Backend { get; }

    public override string Name { get; }

    /// <summary>True if it goes before others.</summary>
    public bool IsUrgent { get; }

    /// <summary>Intermediates of whichever plan is running.</summary>
    public unsafe byte* Arena => _arena.Pointer;

    /// <summary>For the turns with the workers.</summary>
    public SemaphoreSlim Turn { get; } = new(0);

    /// <summary>The thread; null in a backend that only counts.</summary>
    public Thread? Thread => _loop?.Thread;

    public override void Reserve(ExecutionPlan plan)
    {
        CpuPlan own = plan as CpuPlan is { } p && p.Backend == Backend
            ? p
            : throw new GraphException($"{plan.Graph.Name} was compiled by another backend than that of queue '{Name}'.");
        ObjectDisposedException.ThrowIf(_isDisposed == 1, this);
        if (own.ArenaBytes <= _arena.Bytes) return;
        if (_loop is null) Grow();
        else _loop.WhileEmpty(Grow);

        void Grow()
        {
            if (own.ArenaBytes > _arena.Bytes) _arena.Grow(own.ArenaBytes, $"the intermediates of {own.Graph.Name}");
        }
    }

    /// <summary>Makes room for the numbers that travel with a plan's runs.</summary>
    public void ReserveNumbers(int count) => _loop?.ReserveNumbers(count);

    public override void Write<T>(DeviceBuffer to, ReadOnlySpan<T> source, long offset = 0)
    {
        to.CheckRange<T>(source.Length, offset);
        Command.End end = EndOf(to, offset);
        if (_loop is null || source.IsEmpty) return;
        _loop.Write(new Command { To = end, Bytes = source.Length * (long)to.Type.Size() }, MemoryMarshal.AsBytes(source));
    }

    public override void Copy(DeviceBuffer from, long fromOffset, DeviceBuffer to, long toOffset, long count)
    {
        from.CheckRange(count, fromOffset);
        to.CheckRange(count, toOffset);
        if (from.Type != to.Type)
            throw new ArgumentException($"Buffers '{from.Name}' {from.Type} and '{to.Name}' {to.Type} differ in type.");
        Command.End source = EndOf(from, fromOffset), target = EndOf(to, toOffset);
        if (_loop is null || count == 0) return;
        _loop.Add(new Command { From = source, To = target, Bytes = count * from.Type.Size() });
    }

    public override void Run(BoundPlan plan, CancellationToken cancellation = default)
    {
        if (plan is not CpuBoundPlan own || own.Queue != this)
            throw new GraphException($"{plan.Graph.Name} is not bound to queue '{Name}'.");
        plan.CheckRun();
        if (_loop is null) throw new DeviceException("This backend counts memory and runs nothing.");
        _loop.Run(new Command { Plan = own, Cancellation = cancellation, Progress = plan.Progress }, plan.Numbers);
    }

    public override Fence BeginRead<T>(DeviceBuffer from, T[] destination, long offset = 0)
    {
        ArgumentNullException.ThrowIfNull(destination);
        from.CheckRange<T>(destination.Length, offset);
        Command.End source = EndOf(from, offset);
        if (_loop is null || destination.Length == 0)
        {
            Array.Clear(destination);
            return default;
        }
        return FenceAt(_loop.Add(new Command
        {
            From = source,
            To = new Command.End { Array = destination },
            Bytes = destination.Length * (long)from.Type.Size(),
        }));
    }

    public override void Read<T>(DeviceBuffer from, Span<T> destination, long offset = 0)
    {
        from.CheckRange<T>(destination.Length, offset);
        Command.End source = EndOf(from, offset);
        if (_loop is null) destination.Clear();
        else _loop.Read(source.Buffer!, source.Offset, MemoryMarshal.AsBytes(destination));
    }

    public override Fence Mark()
    {
        if (_loop is null) return default;
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) == 1, this);
        return FenceAt(_loop.Position);
    }

    public override void WaitFor(Fence fence)
    {
        if (fence.Queue is null || fence.Queue == this || _loop is null) return;
        if (fence.Queue is not CpuQueue other || other.Backend != Backend)
            throw new GraphException($"Queue '{fence.Queue.Name}' belongs to another backend than queue '{Name}'.");
        _loop.Add(new Command { Fence = fence });
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        GC.SuppressFinalize(this);
        _loop?.Stop(wait: true);
        _arena.Dispose();
        Backend.Forget(this);
    }

    protected internal override bool IsReached(long position) => _loop is null || _loop.IsReached(position);

    protected internal override void Wait(long first, long position) => _loop?.Wait(first, position);

    protected internal override Task WhenReached(long first, long position) => _loop?.WhenReached(first, position) ?? Task.CompletedTask;

    private Command.End EndOf(DeviceBuffer buffer, long offset) => buffer is CpuBuffer own
        ? new Command.End { Buffer = own, Offset = offset * buffer.Type.Size() }
        : throw new GraphException($"Buffer '{buffer.Name}' belongs to another kind of backend than queue '{Name}'.");
}
