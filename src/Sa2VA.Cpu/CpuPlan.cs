using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>A compiled graph on the CPU.</summary>
internal sealed class CpuPlan(CpuBackend backend, Graph graph, Kernel[] kernels, PlanWeights weights, long arenaBytes)
    : ExecutionPlan(graph)
{
    // What a run works with, copied under the backend's lock: bindings that change meanwhile change nothing.
    private readonly CpuBuffer?[] _buffers = new CpuBuffer?[graph.Inputs.Count + graph.Outputs.Count];
    private readonly int[] _scalars = new int[graph.Scalars.Count];
    private volatile bool _disposed;

    public override long ArenaBytes => arenaBytes;

    public override void Run(PlanBindings bindings, CancellationToken cancellation = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (bindings.Graph != Graph)
            throw new GraphException($"These bindings are for {bindings.Graph.Name}, not for {Graph.Name}.");
        backend.Run(this, bindings, cancellation);
        // Kernels hold bare pointers into the weights.
        GC.KeepAlive(weights);
    }

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        backend.Release(weights);
    }

    /// <summary>Runs all kernels. Under the backend's lock.</summary>
    public unsafe void RunKernels(byte* arena, WorkerPool pool, PlanBindings bindings, CancellationToken cancellation)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        int held = 0;
        try
        {
            bindings.CheckComplete();
            bindings.Scalars.CopyTo(_scalars);
            for (; held < _buffers.Length; held++)
            {
                CpuBuffer buffer = bindings.Buffer(held) as CpuBuffer
                    ?? throw new GraphException($"{Graph.Name}: buffer '{bindings.Buffer(held).Name}' belongs to another kind of backend.");
                buffer.Hold();
                _buffers[held] = buffer;
            }
            var run = new RunContext(arena, _buffers!, _scalars);
            foreach (Kernel kernel in kernels)
            {
                cancellation.ThrowIfCancellationRequested();
                int parts = kernel.Prepare(run);
                if (parts > 0) pool.Run(kernel, parts);
            }
        }
        finally
        {
            for (; held > 0; _buffers[held] = null) _buffers[--held]!.Release();
        }
    }
}
