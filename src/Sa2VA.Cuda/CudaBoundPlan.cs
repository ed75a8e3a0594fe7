using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>A plan with its stream and its memory: a captured graph and the block of numbers that its kernels read.</summary>
internal sealed class CudaBoundPlan : BoundPlan
{
    /// <summary>Integers before the numbers: the run's position.</summary>
    public const int HeaderLength = 2;

    private readonly CudaPlan _plan;
    private readonly CudaBuffer[] _buffers;
    private readonly CudaMemory _numbers;
    private readonly LaunchContext _context;
    private readonly nint _graph;
    private int _isDisposed;

    public CudaBoundPlan(CudaPlan plan, CudaQueue queue, PlanBuffers buffers) : base(plan.Graph)
    {
        (_plan, Queue) = (plan, queue);
        _buffers = new CudaBuffer[buffers.Count];
        var slots = new ulong[buffers.Count];
        for (int i = 0; i < slots.Length; i++)
        {
            (DeviceBuffer buffer, long offset) = buffers[i];
            _buffers[i] = buffer is CudaBuffer own && own.Backend == plan.Backend ? own
                : throw new GraphException($"{Graph.Name}: buffer '{buffer.Name}' belongs to another backend.");
            slots[i] = _buffers[i].Address + (ulong)(offset * buffer.Type.Size());
        }
        CudaBackend backend = plan.Backend;
        _numbers = CudaMemory.Allocate(backend, MemoryPurpose.Arena, (HeaderLength + Numbers.Length) * sizeof(int),
            $"the numbers of {Graph.Name}");
        var run = new RunArguments { Numbers = _numbers.Address + HeaderLength * sizeof(int), Fault = queue.Fault };
        _context = new LaunchContext(plan, queue.Arena, slots, run, queue.Stream);
        if (!backend.UsesGraphs || backend.Timeline is not null || backend.Account.CountsOnly) return;
        try
        {
            _graph = backend.Capture(Graph.Name, stream => plan.Launch(new LaunchContext(plan, queue.Arena, slots, run, stream)));
        }
        catch
        {
            _numbers.Free();
            throw;
        }
    }

    public CudaQueue Queue { get; }

    /// <summary>Where the run's header and numbers go.</summary>
    public ulong Block => _numbers.Address;

    /// <exception cref="ObjectDisposedException">Plan, binding or a buffer is gone already.</exception>
    public void ThrowIfGone()
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _isDisposed) == 1, this);
        ObjectDisposedException.ThrowIf(_plan.IsDisposed, _plan);
        foreach (CudaBuffer buffer in _buffers) ObjectDisposedException.ThrowIf(buffer.IsDisposed, buffer);
    }

    /// <summary>Enqueues the kernels. Within the context.</summary>
    /// <param name="trail">Told which op is launched, where that is known.</param>
    public unsafe void Launch(LaunchTrail trail)
    {
        CudaContext context = _plan.Backend.Context;
        if (_graph == 0) _plan.Launch(_context, trail);
        else context.Check(context.Driver.GraphLaunch(_graph, Queue.Stream), "launching", Graph.Name);
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        CudaBackend backend = _plan.Backend;
        backend.Retire(() =>
        {
            _numbers.Free();
            Destroy(backend);
        });
    }

    private unsafe void Destroy(CudaBackend backend)
    {
        if (_graph != 0) backend.Context.GiveBack(driver => driver.GraphExecDestroy(_graph));
    }
}
