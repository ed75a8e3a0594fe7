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

    /// <summary>Most bytes the backend may hold (weights, arena, buffers); 0 means no limit. Checked before an allocation.</summary>
    public long MemoryBudget { get; init; }
}

/// <summary>
/// The CPU: vectorised kernels over a persistent worker pool. Plans share one arena and run one at a time. Any thread may call any member;
/// <see cref="Dispose"/> waits for a run in progress. A backend that nobody disposed gives its memory and threads back when it is
/// collected.
/// </summary>
public sealed unsafe class CpuBackend : IBackend
{
    private readonly Lock _lock = new();
    private readonly WorkerPool _pool;
    private readonly WorkerScratch _scratch;
    private readonly AlignedMemory _arena;
    private readonly WeightStore _weights = new();
    private int _isDisposed;

    /// <summary>Starts the workers.</summary>
    /// <exception cref="DeviceException">An option is out of range, or the machine lacks the forced vector width.</exception>
    public CpuBackend(CpuOptions? options = null) : this(options ?? new CpuOptions(), countsOnly: false) { }

    /// <param name="options">Choices.</param>
    /// <param name="countsOnly">True to allocate nothing, start no thread, and count what would be held. Plans cannot run then.</param>
    internal CpuBackend(CpuOptions options, bool countsOnly)
    {
        if (options.Threads is < 0 or > 256) throw new DeviceException($"{options.Threads} threads are outside 0…256.");
        if (options.MemoryBudget < 0) throw new DeviceException($"A memory budget of {options.MemoryBudget} bytes is negative.");
        Workers = options.Threads == 0 ? Math.Min(Environment.ProcessorCount, 256) : options.Threads;
        Simd = CpuFeatures.Resolve(options.Simd);
        Account = new MemoryAccount(options.MemoryBudget, countsOnly);
        _arena = new AlignedMemory(Account, MemoryPurpose.Arena, 0, "");
        _scratch = new WorkerScratch(Account, Workers);
        _pool = new WorkerPool(countsOnly ? 1 : Workers);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description =>
        $"{RuntimeInformation.ProcessArchitecture} CPU, {(int)Simd}-bit vectors, {Workers} thread{(Workers == 1 ? "" : "s")}";

    /// <inheritdoc/>
    public BackendMemory Memory => Account.Memory;

    /// <summary>Threads that share each op.</summary>
    public int Workers { get; }

    /// <summary>Vector width in use.</summary>
    public SimdLevel Simd { get; }

    private bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    internal MemoryAccount Account { get; }

    internal WorkerPool Pool => _pool;

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, DType type, Shape shape)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new CpuBuffer(Account, name, type, shape);
    }

    /// <inheritdoc/>
    public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            Graph rewritten = GraphPasses.Apply(graph);
            MemoryPlan memory = MemoryPlan.Create(rewritten);
            if (memory.ArenaBytes > _arena.Bytes) _arena.Grow(memory.ArenaBytes, $"the intermediates of {graph.Name}");
            var weights = new PlanWeights(_weights, Account);
            try
            {
                var context = new KernelContext(this, rewritten, memory, weights);
                var kernels = new Kernel[rewritten.Ops.Count];
                for (int i = 0; i < kernels.Length; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    kernels[i] = KernelFactory.Create(rewritten.Ops[i], context);
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
        // Set before the wait for a run in progress, so that no further run begins.
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        lock (_lock)
        {
            _pool.Dispose();
            _scratch.Dispose();
            _arena.Dispose();
            _weights.Dispose();
        }
    }

    internal void Run(CpuPlan plan, PlanBindings bindings, CancellationToken cancellation)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            if (Account.CountsOnly) throw new DeviceException("This backend counts memory and runs nothing.");
            plan.RunKernels(_arena.Pointer, _pool, bindings, cancellation);
        }
        // A caller may hold the plan alone, and a plan may be the last to be seen: what kernels point into lives to the end of the run.
        GC.KeepAlive(this);
    }

    /// <summary>Ends a plan's hold on weights, after the run that is in progress: its kernels point into them.</summary>
    internal void Release(PlanWeights weights)
    {
        lock (_lock) weights.Dispose();
    }

    internal WorkerScratch ReserveScratch(long bytesPerWorker)
    {
        _scratch.Reserve(bytesPerWorker);
        return _scratch;
    }
}
