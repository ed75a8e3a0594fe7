using Sa2VA.Core;
using Sa2VA.Cuda.Driver;
using Sa2VA.Cuda.Kernels;

namespace Sa2VA.Cuda;

/// <summary>
/// A GPU: queues are streams, bound plans are captured graphs whose run-time numbers are one block of device memory. Any thread may call
/// any member. A fault of a kernel ends this backend alone; its message says what failed.
/// </summary>
public sealed unsafe class CudaBackend : IBackend
{
    private readonly Lock _compiling = new(), _lock = new(), _capturing = new();
    private readonly List<CudaQueue> _queues = [];
    private readonly List<(Action Free, List<(CudaQueue Queue, long Position)> Behind)> _retired = [];
    private readonly WeightStore _weights = new();
    private readonly CudaContext? _context;
    private readonly KernelModules? _modules;
    private readonly nint _capture;
    private readonly ZOrderUse _zOrder;
    private int _isDisposed;

    internal CudaBackend((CudaDriver Driver, DeviceFacts Facts) found, CudaDevice device, long memoryBudget, bool countsOnly)
    {
        if (memoryBudget < 0) throw new DeviceException($"A memory budget of {memoryBudget} bytes is negative.");
        bool isChecked = CheckedLaunches.AreWanted(device.ChecksLaunches);
        (Precision, UsesGraphs, Facts, _zOrder) = (device.Precision, device.UsesGraphs && !isChecked, found.Facts, device.ZOrder);
        bool hasMaps = found.Driver.TensorMapEncodeTiled != null;
        Hopper = hasMaps ? HopperUses.Resolve(device.Hopper) : HopperUse.Never;
        if (countsOnly)
        {
            Account = new MemoryAccount(0, countsOnly: true);
            return;
        }
        _context = new CudaContext(found.Driver, found.Facts);
        if (isChecked) _context.Checked = new CheckedLaunches(_context);
        try
        {
            using CudaContext.Scope scope = _context.Enter();
            long free = AskFree();
            Account = memoryBudget > 0 && memoryBudget <= free ? new MemoryAccount(memoryBudget)
                : new MemoryAccount(Math.Max(1, free), isWhatWasFree: true);
            _modules = new KernelModules(_context);
            AllocationProperties properties = new(found.Facts.Handle);
            nuint unit;
            _context.Check(found.Driver.MemGetAllocationGranularity(&unit, &properties, 0), "asking for the unit of mapped memory");
            MapUnit = unit;
            Service = CreateStream(0);
            _capture = CreateStream(0);
        }
        catch
        {
            _context.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public string Name => "cuda";

    /// <inheritdoc/>
    public string Description => $"{Facts.Name}, {Facts.Multiprocessors} multiprocessors, compute capability "
        + $"{Facts.Capability / 10}.{Facts.Capability % 10}" + (Precision.IsNarrow() ? $", {Precision.Name()}" : "");

    /// <inheritdoc/>
    public Precision Precision { get; }

    /// <inheritdoc/>
    public BackendMemory Memory
    {
        get
        {
            Sweep();
            return Account.Memory;
        }
    }

    /// <inheritdoc/>
    public long? FreeMemory
    {
        get
        {
            if (Account.CountsOnly) return null;
            Sweep();
            using CudaContext.Scope scope = Context.Enter();
            return Math.Min(Account.Left, AskFree());
        }
    }

    /// <inheritdoc/>
    public Timeline? Timeline { get; set; }

    /// <summary>The families of kernels that plans have asked for so far, and in what form each was loaded.</summary>
    public IReadOnlyList<LoadedKernels> Kernels => _modules?.Loaded ?? [];

    /// <summary>The same of those that plans and queues have asked for since the last call of this.</summary>
    public IReadOnlyList<LoadedKernels> TakeAskedKernels() => _modules?.TakeAsked() ?? [];

    internal DeviceFacts Facts { get; }

    internal bool UsesGraphs { get; }

    /// <summary>Where kernels of compute capability 9.0 are taken, should the device have that.</summary>
    internal HopperUse Hopper { get; }

    internal MemoryAccount Account { get; }

    /// <summary>The context; a backend that only counts has none.</summary>
    internal CudaContext Context => _context ?? throw new DeviceException("This backend counts memory and runs nothing.");

    internal KernelModules Modules => _modules ?? throw new DeviceException("This backend counts memory and runs nothing.");

    /// <summary>Mapped memory comes in multiples of that many bytes.</summary>
    internal ulong MapUnit { get; } = 2 << 20;

    /// <summary>The stream of what is waited for at once.</summary>
    internal nint Service { get; }

    /// <summary>What a check on the device can find.</summary>
    internal CheckSites Sites { get; } = new();

    private bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, DType type, Shape shape)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        Sweep();
        return new CudaBuffer(this, name, type, shape);
    }

    /// <inheritdoc/>
    public DeviceBuffer Reserve(string name, DType type, Shape atMost)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new CudaBuffer(this, name, type, atMost, isReserved: true);
    }

    /// <inheritdoc/>
    public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
    {
        lock (_compiling)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            Sweep();
            Graph placed = StoragePolicy.Apply(GraphPasses.Apply(GraphPasses.PatchRows(graph)), Precision, NarrowKernels.Instance);
            placed = GraphPasses.Rotated(placed, fused => LinearRotaryKernel.Suits(fused, Precision));
            placed = GraphPasses.ZOrdered(placed, _zOrder, layer => LinearMaxPoolKernel.Suits(layer, Precision, Facts));
            return new CudaPlan(this, graph, placed, new PlanWeights(this, _weights), cancellation);
        }
    }

    /// <inheritdoc/>
    public DeviceQueue CreateQueue(string name, QueuePriority priority = QueuePriority.Normal)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            var queue = new CudaQueue(this, name, priority);
            _queues.Add(queue);
            return queue;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        CudaQueue[] queues;
        lock (_lock) queues = [.. _queues];
        foreach (CudaQueue queue in queues) queue.Dispose();
        lock (_compiling)
        {
            Sweep();
            _weights.Dispose();
            // With it go its streams, modules and memory.
            _context?.Dispose();
        }
    }

    internal void Forget(CudaQueue queue)
    {
        lock (_lock) _queues.Remove(queue);
    }

    /// <summary>Gives something back as soon as nothing that is enqueued now can use it.</summary>
    internal void Retire(Action free)
    {
        List<(CudaQueue, long)> behind = [];
        lock (_lock)
        {
            foreach (CudaQueue queue in _queues)
            {
                long end = queue.End();
                if (!queue.IsBehind(end)) behind.Add((queue, end));
            }
            if (behind.Count > 0) _retired.Add((free, behind));
        }
        if (behind.Count == 0) free();
        Sweep();
    }

    /// <summary>Ends a plan's hold on weights, behind what is enqueued.</summary>
    internal void Release(PlanWeights weights) => Retire(() =>
    {
        lock (_compiling) weights.Dispose();
    });

    /// <summary>Zeros, there when the call returns.</summary>
    internal void Clear(ulong address, long bytes)
    {
        if (bytes == 0 || Account.CountsOnly) return;
        using CudaContext.Scope scope = Context.Enter();
        Context.Check(Context.Driver.MemsetD8Async(address, 0, (nuint)bytes, Service), "clearing memory");
        Context.Check(Context.Driver.StreamSynchronize(Service), "clearing memory");
    }

    /// <summary>Copies bytes of the host to the device, there when the call returns.</summary>
    internal void Upload(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return;
        using CudaContext.Scope scope = Context.Enter();
        fixed (byte* from = bytes)
            Context.Check(Context.Driver.MemcpyHtoDAsync(address, from, (nuint)bytes.Length, Service), "copying weights");
        Context.Check(Context.Driver.StreamSynchronize(Service), "copying weights");
    }

    /// <summary>Records what an action launches on the stream it is given.</summary>
    /// <returns>An executable graph.</returns>
    internal nint Capture(string what, Action<nint> launch)
    {
        CudaDriver driver = Context.Driver;
        lock (_capturing)
        {
            using CudaContext.Scope scope = Context.Enter();
            // Relaxed: other threads may allocate meanwhile.
            const uint Relaxed = 2;
            Context.Check(driver.StreamBeginCapture(_capture, Relaxed), $"capturing {what}");
            nint graph = 0, executable;
            try
            {
                launch(_capture);
            }
            catch
            {
                if (driver.StreamEndCapture(_capture, &graph) == CudaResult.Success && graph != 0) driver.GraphDestroy(graph);
                throw;
            }
            Context.Check(driver.StreamEndCapture(_capture, &graph), $"capturing {what}");
            CudaResult result = driver.GraphInstantiate(&executable, graph, 0);
            driver.GraphDestroy(graph);
            Context.Check(result, $"instantiating {what}");
            return executable;
        }
    }

    /// <summary>A stream of the current context.</summary>
    internal nint CreateStream(int priority)
    {
        const uint NonBlocking = 1;
        nint stream;
        Context.Check(Context.Driver.StreamCreateWithPriority(&stream, NonBlocking, priority), "creating a stream");
        return stream;
    }

    /// <summary>Bytes that the device has free, for whomever. In the context.</summary>
    private long AskFree()
    {
        nuint free, total;
        Context.Check(Context.Driver.MemGetInfo(&free, &total), "asking for free memory");
        return checked((long)free);
    }

    private void Sweep()
    {
        List<Action>? due = null;
        lock (_lock)
        {
            for (int i = _retired.Count - 1; i >= 0; i--)
            {
                if (!_retired[i].Behind.TrueForAll(b => b.Queue.IsBehind(b.Position))) continue;
                (due ??= []).Add(_retired[i].Free);
                _retired.RemoveAt(i);
            }
        }
        if (due is not null)
            foreach (Action free in due) free();
    }
}
