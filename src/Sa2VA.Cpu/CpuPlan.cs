using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>A compiled graph on the CPU.</summary>
internal sealed class CpuPlan(CpuBackend backend, Graph graph, Kernel[] kernels, PlanWeights weights, long arenaBytes) : ExecutionPlan(graph)
{
    private volatile bool _disposed;

    public override long ArenaBytes => arenaBytes;

    public Kernel[] Kernels => kernels;

    public bool IsDisposed => _disposed;

    public override void Run(PlanBindings bindings, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (bindings.Graph != Graph) throw new GraphException($"These bindings are for {bindings.Graph.Name}, not for {Graph.Name}.");
        bindings.CheckComplete();
        backend.Run(this, bindings, cancellation);
    }

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        backend.Release(weights);
    }
}
