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

    /// <summary>How many bits numbers are stored in.</summary>
    public Precision Precision { get; init; }

    /// <summary>Most bytes the backend may hold (weights, arena, buffers); 0 means no limit. Checked before an allocation.</summary>
    public long MemoryBudget { get; init; }

    /// <summary>Which register blocks to multiply with; null for the fastest.</summary>
    internal KernelChoice? Kernels { get; init; }

    /// <summary>How long a run waits for urgent queues.</summary>
    internal TimeSpan Patience { get; init; } = Precedence.UsualPatience;
}

/// <summary>
/// The CPU: vectorised kernels over a persistent worker pool, which queues share by turns, op by op. Any thread may call any member;
/// <see cref="Dispose"/> waits for the ops in progress. A backend that nobody disposed gives its memory and threads back when it is
/// collected.
/// </summary>
public sealed unsafe class CpuBackend : IBackend
{
    // Compilations go one at a time, and hold up neither runs nor bindings.
    private readonly Lock _compiling = new(), _lock = new();
    private readonly List<CpuQueue> _queues = [];
    private readonly WorkerPool _pool;
    private readonly WorkerScratch _scratch;
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
        Precision = options.Precision;
        Workers = options.Threads == 0 ? Math.Min(Environment.ProcessorCount, 256) : options.Threads;
        Simd = CpuFeatures.Resolve(options.Simd);
        KernelChoice? kernels = KernelChoices.Resolve(options.Kernels, Environment.GetEnvironmentVariable(KernelChoices.Variable));
        Blocks = countsOnly ? null : FloatBlocks.Choose(Simd, kernels);
        // Who counts asks too: weights in pairs are longer.
        // What is forced is looked for in any precision; nobody asks the system for tiles whom they would not serve.
        PairBlocks? pairs = Precision.IsNarrow() || kernels is not null ? PairBlocks.Choose(kernels) : null;
        Pairs = Precision.IsNarrow() ? pairs : null;
        Account = new MemoryAccount(options.MemoryBudget, countsOnly);
        Precedence = new Precedence(options.Patience);
        _scratch = new WorkerScratch(Account, Workers);
        _pool = new WorkerPool(countsOnly ? 1 : Workers);
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Description =>
        $"{RuntimeInformation.ProcessArchitecture} CPU, {(int)Simd}-bit vectors, {Workers} thread{(Workers == 1 ? "" : "s")}"
        + (Precision.IsNarrow() ? $", {Precision.Name()}" : "") + (Pairs is null ? "" : $" by {Pairs.Name}");

    /// <inheritdoc/>
    public Precision Precision { get; }

    /// <inheritdoc/>
    public BackendMemory Memory => Account.Memory;

    /// <inheritdoc/>
    public long? FreeMemory => null;

    /// <inheritdoc/>
    public Timeline? Timeline { get; set; }

    /// <summary>Threads that share each op.</summary>
    public int Workers { get; }

    /// <summary>Vector width in use.</summary>
    public SimdLevel Simd { get; }

    /// <summary>Assembled register blocks of that width; null: the managed ones.</summary>
    internal FloatBlocks? Blocks { get; }

    /// <summary>What multiplies BF16; null: floats are multiplied, whatever they are stored in.</summary>
    internal PairBlocks? Pairs { get; }

    private bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    internal MemoryAccount Account { get; }

    internal WorkerPool Pool => _pool;

    internal Turns Turns { get; } = new();

    internal Precedence Precedence { get; }

    /// <inheritdoc/>
    public DeviceBuffer Allocate(string name, DType type, Shape shape)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new CpuBuffer(Account, name, type, shape);
    }

    /// <inheritdoc/>
    public DeviceBuffer Reserve(string name, DType type, Shape atMost)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        return new CpuBuffer(Account, name, type, atMost, isReserved: true);
    }

    /// <inheritdoc/>
    public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
    {
        lock (_compiling)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            var weights = new PlanWeights(_weights, Account);
            Graph placed = StoragePolicy.Apply(GraphPasses.Apply(graph), Precision, NarrowKernels.Instance);
            var plan = new CpuPlan(this, graph, placed, weights);
            try
            {
                plan.Kernels(cancellation);
                return plan;
            }
            catch
            {
                plan.Dispose();
                throw;
            }
        }
    }

    /// <inheritdoc/>
    public DeviceQueue CreateQueue(string name, QueuePriority priority = QueuePriority.Normal)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            var queue = new CpuQueue(this, name, priority);
            _queues.Add(queue);
            return queue;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Set before the wait for the ops in progress, so that nothing further begins.
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        CpuQueue[] queues;
        lock (_lock) queues = [.. _queues];
        foreach (CpuQueue queue in queues) queue.Dispose();
        lock (_compiling)
        {
            _pool.Dispose();
            _scratch.Dispose();
            _weights.Dispose();
        }
    }

    internal void Forget(CpuQueue queue)
    {
        lock (_lock) _queues.Remove(queue);
    }

    /// <summary>Ends a plan's hold on weights.</summary>
    internal void Release(PlanWeights weights)
    {
        lock (_compiling) weights.Dispose();
    }

    /// <summary>Scratch for at least that many bytes per worker. It grows only while no op runs.</summary>
    internal WorkerScratch ReserveScratch(long bytesPerWorker)
    {
        if (_scratch.Holds(bytesPerWorker)) return _scratch;
        using var turn = new SemaphoreSlim(0);
        Turns.Enter(turn);
        try
        {
            _scratch.Reserve(bytesPerWorker);
        }
        finally
        {
            Turns.Exit();
        }
        return _scratch;
    }
}
