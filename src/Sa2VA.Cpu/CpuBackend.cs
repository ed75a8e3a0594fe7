using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Choices for a <see cref="CpuBackend"/>.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads that share each op, 1 to 256; 0 means one per logical processor.</summary>
    public int Threads { get; init; }

    /// <summary>Widest vectors to use; null means the widest this machine has. Every width gives the same bits.</summary>
    public SimdLevel? Simd { get; init; }

    /// <summary>Most bytes the backend may hold (weights, arena, buffers); 0 means no limit. Checked before an allocation, not after.</summary>
    public long MemoryBudget { get; init; }
}

/// <summary>The CPU: vectorised kernels over a persistent worker pool. Plans share one arena and run one at a time.</summary>
public sealed unsafe class CpuBackend : IBackend
{
    private readonly Lock _lock = new();
    private readonly WorkerPool _pool;
    private readonly WorkerScratch _scratch;
    private readonly long _budget;
    private readonly AlignedMemory _arena = new(0);
    private long _bufferBytes;
    private bool _disposed;

    /// <summary>Starts the workers.</summary>
    /// <exception cref="DeviceException">An option is out of range, or the machine lacks the forced vector width.</exception>
    public CpuBackend(CpuOptions? options = null)
    {
        options ??= new CpuOptions();
        if (options.Threads is < 0 or > 256) throw new DeviceException($"{options.Threads} threads are outside 0…256.");
        if (options.MemoryBudget < 0) throw new DeviceException($"A memory budget of {options.MemoryBudget} bytes is negative.");
        Workers = options.Threads == 0 ? Math.Min(Environment.ProcessorCount, 256) : options.Threads;
        Simd = CpuFeatures.Resolve(options.Simd);
        _budget = options.MemoryBudget;
        _pool = new WorkerPool(Workers);
        _scratch = new WorkerScratch(Workers);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description =>
        $"{RuntimeInformation.ProcessArchitecture} CPU, {(int)Simd}-bit vectors, {Workers} thread{(Workers == 1 ? "" : "s")}";

    /// <inheritdoc/>
    public BackendMemory Memory => new(Weights.Bytes, _arena.Bytes + _scratch.Bytes, Interlocked.Read(ref _bufferBytes));

    /// <summary>Threads that share each op.</summary>
    public int Workers { get; }

    /// <summary>Vector width in use.</summary>
    public SimdLevel Simd { get; }

    internal WeightStore Weights { get; } = new();

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, DType type, Shape shape)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckBudget(shape.Count * type.Size(), $"buffer '{name}' {type} {shape}");
        var buffer = new CpuBuffer(this, name, type, shape);
        Interlocked.Add(ref _bufferBytes, buffer.Bytes);
        return buffer;
    }

    /// <inheritdoc/>
    public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            MemoryPlan memory = MemoryPlan.Create(graph);
            if (memory.ArenaBytes > _arena.Bytes)
            {
                CheckBudget(memory.ArenaBytes - _arena.Bytes, $"the intermediates of {graph.Name}");
                _arena.Resize(memory.ArenaBytes);
            }
            var weights = new PlanWeights(this);
            try
            {
                var context = new KernelContext(this, graph, memory, weights);
                var kernels = new Kernel[graph.Ops.Count];
                for (int i = 0; i < kernels.Length; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    kernels[i] = KernelFactory.Create(graph.Ops[i], context);
                }
                return new CpuPlan(this, graph, kernels, weights, memory.ArenaBytes);
            }
            catch
            {
                weights.Dispose();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_disposed) return;
            _disposed = true;
            _pool.Dispose();
            _scratch.Dispose();
            _arena.Dispose();
            Weights.Dispose();
        }
    }

    internal void Run(CpuPlan plan, PlanBindings bindings, CancellationToken cancellation)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            ObjectDisposedException.ThrowIf(plan.IsDisposed, plan);
            var run = new RunContext(_arena.Pointer, bindings);
            foreach (Kernel kernel in plan.Kernels)
            {
                cancellation.ThrowIfCancellationRequested();
                int parts = kernel.Prepare(run);
                if (parts > 0) _pool.Run(kernel, parts);
            }
        }
    }

    /// <summary>Ends a plan, after the run that is in progress: its kernels hold pointers into weights.</summary>
    internal void Release(PlanWeights weights)
    {
        lock (_lock) weights.Dispose();
    }

    internal WorkerScratch ReserveScratch(long bytesPerWorker)
    {
        CheckBudget(_scratch.Growth(bytesPerWorker), "the workers' scratch memory");
        _scratch.Reserve(bytesPerWorker);
        return _scratch;
    }

    internal void CheckBudget(long bytes, string what)
    {
        long held = Memory.Total;
        if (_budget > 0 && held + bytes > _budget)
            throw new DeviceException($"{what} needs {bytes / 1048576.0:F1} MB; {held / 1048576.0:F1} of the budget of {_budget / 1048576.0:F1} MB are in use.");
    }

    internal void Release(long bytes) => Interlocked.Add(ref _bufferBytes, -bytes);
}
