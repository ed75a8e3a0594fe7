using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>A plan's kernels with their operands resolved: what is left for a run are its lengths.</summary>
internal sealed unsafe class CpuBoundPlan : BoundPlan
{
    private readonly CpuPlan _plan;
    private readonly Kernel[] _kernels;
    private readonly CpuBuffer[] _buffers;
    private readonly nint[] _pointers;
    private volatile bool _disposed;

    public CpuBoundPlan(CpuPlan plan, CpuQueue queue, Kernel[] kernels, PlanBuffers buffers) : base(plan.Graph)
    {
        (_plan, Queue, _kernels) = (plan, queue, kernels);
        _buffers = new CpuBuffer[buffers.Count];
        _pointers = new nint[buffers.Count];
        for (int i = 0; i < _buffers.Length; i++)
        {
            (DeviceBuffer buffer, long offset) = buffers[i];
            _buffers[i] = buffer as CpuBuffer
                ?? throw new GraphException($"{Graph.Name}: buffer '{buffer.Name}' belongs to another kind of backend.");
            _buffers[i].Hold();
            _pointers[i] = (nint)(_buffers[i].HeldPointer + offset * buffer.Type.Size());
            _buffers[i].Release();
        }
    }

    public CpuQueue Queue { get; }

    /// <summary>Keeps weights and buffers until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">Plan, binding or a buffer is gone already; nothing is held then.</exception>
    public void Hold()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _plan.Hold();
        int held = 0;
        try
        {
            for (; held < _buffers.Length; held++) _buffers[held].Hold();
        }
        catch
        {
            while (held > 0) _buffers[--held].Release();
            _plan.Release();
            throw;
        }
    }

    public void Release()
    {
        foreach (CpuBuffer buffer in _buffers) buffer.Release();
        _plan.Release();
    }

    /// <summary>Runs all kernels, unless the token or the loop says stop in between.</summary>
    public void RunKernels(int[] numbers, CommandLoop loop, Action<double>? progress, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested) return;
        CpuBackend backend = _plan.Backend;
        Timeline? timeline = backend.Timeline;
        var run = new RunContext(Queue.Arena, _pointers, numbers);
        (double all, double done, double told) = (progress is null ? 0 : _plan.Flops(numbers), 0, 0);
        backend.Turns.Enter(Queue.Turn);
        try
        {
            foreach (Kernel kernel in _kernels)
            {
                if (cancellation.IsCancellationRequested || loop.IsStopping) return;
                backend.Turns.Pass(Queue.Turn);
                double began = timeline?.Now ?? 0;
                int parts = kernel.Prepare(run);
                if (parts > 0) backend.Pool.Run(kernel, parts);
                timeline?.Add(new TimedKernel(Queue.Name, Graph.Name, kernel.Op, kernel.GetType().Name, began, timeline.Now - began));
                if (progress is null) continue;
                done += kernel.Op?.Flops(numbers) ?? 0;
                if (done < told + all / 100 || done >= all) continue;
                told = done;
                progress(done / all);
            }
        }
        finally
        {
            backend.Turns.Exit();
        }
    }

    public override void Dispose() => _disposed = true;
}
