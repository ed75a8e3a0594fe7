using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A compiled graph on the CPU: weights packed, intermediates placed. Each binding gets kernels of its own, which share these.
/// </summary>
internal sealed class CpuPlan : ExecutionPlan
{
    private readonly Graph _rewritten;
    private readonly MemoryPlan _memory;
    private readonly PlanWeights _weights;
    // The owner's hold, and one for every enqueued run: kernels hold bare pointers into the weights.
    private int _holds = 1;
    private int _disposed;

    /// <param name="backend">Its backend.</param>
    /// <param name="graph">As it was recorded: what is bound.</param>
    /// <param name="rewritten">
    /// As it was rewritten, its intermediates in their stored types: what runs. Has the same inputs, outputs and scalars.
    /// </param>
    /// <param name="weights">Empty yet; the plan's own.</param>
    public CpuPlan(CpuBackend backend, Graph graph, Graph rewritten, PlanWeights weights) : base(graph) =>
        (Backend, _rewritten, _memory, _weights) = (backend, rewritten, MemoryPlan.Create(rewritten), weights);

    public CpuBackend Backend { get; }

    public override long ArenaBytes => _memory.ArenaBytes;

    /// <summary>Floating-point operations of a run, as it was rewritten.</summary>
    public long Flops(ReadOnlySpan<int> numbers) => _rewritten.Flops(numbers);

    public override BoundPlan Bind(DeviceQueue queue, PlanBuffers buffers)
    {
        if (buffers.Graph != Graph) throw new GraphException($"These buffers are for {buffers.Graph.Name}, not for {Graph.Name}.");
        if (queue is not CpuQueue own || own.Backend != Backend)
            throw new GraphException($"{Graph.Name}: queue '{queue.Name}' belongs to another backend.");
        Hold();
        try
        {
            own.Reserve(this);
            var bound = new CpuBoundPlan(this, own, Kernels(CancellationToken.None), buffers);
            own.ReserveNumbers(bound.Numbers.Length);
            return bound;
        }
        finally
        {
            Release();
        }
    }

    /// <summary>Makes the kernels; the first time this packs the weights.</summary>
    public Kernel[] Kernels(CancellationToken cancellation)
    {
        var context = new KernelContext(Backend, _rewritten, _memory, _weights);
        var kernels = new Kernel[_rewritten.Ops.Count];
        for (int i = 0; i < kernels.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            kernels[i] = KernelFactory.Create(_rewritten.Ops[i], context);
        }
        return kernels;
    }

    /// <summary>Keeps the weights until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">The plan is disposed.</exception>
    public void Hold()
    {
        while (true)
        {
            int holds = Volatile.Read(ref _holds);
            ObjectDisposedException.ThrowIf(holds == 0 || Volatile.Read(ref _disposed) == 1, this);
            if (Interlocked.CompareExchange(ref _holds, holds + 1, holds) == holds) return;
        }
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _holds) == 0) Backend.Release(_weights);
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) Release();
    }
}
