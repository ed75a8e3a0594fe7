using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>A compiled graph on the GPU: weights uploaded, intermediates placed, launchers made. Bindings share them.</summary>
internal sealed class CudaPlan : ExecutionPlan
{
    private readonly MemoryPlan _memory;
    private readonly PlanWeights _weights;
    private readonly List<int> _sites = [];
    private readonly Dictionary<Tensor, int> _slots = [];
    private readonly Dictionary<Tensor, ulong> _constants = [];
    private readonly (Op Op, Kernel Kernel)[] _kernels;
    private readonly long _workspaceBytes;
    private int _isDisposed;

    /// <param name="backend">Its backend.</param>
    /// <param name="graph">As it was recorded: what is bound.</param>
    /// <param name="rewritten">As it was rewritten: what runs. Has the same inputs, outputs and scalars.</param>
    /// <param name="weights">Empty yet; the plan's own.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public CudaPlan(CudaBackend backend, Graph graph, Graph rewritten, PlanWeights weights, CancellationToken cancellation) : base(graph)
    {
        (Backend, _weights, _memory) = (backend, weights, MemoryPlan.Create(rewritten, Alignment));
        int slot = 0;
        foreach (Tensor t in rewritten.Inputs) _slots.Add(t, slot++);
        foreach (Tensor t in rewritten.Outputs) _slots.Add(t.Root, slot++);
        try
        {
            var context = new PlanContext(backend, weights, _sites);
            _kernels = new (Op, Kernel)[rewritten.Ops.Count];
            for (int i = 0; i < _kernels.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                Op op = rewritten.Ops[i];
                foreach (Tensor input in op.Inputs)
                    if (input.Kind == TensorKind.Constant) _constants.TryAdd(input.Root, context.Constant(input.Root));
                _kernels[i] = (op, KernelFactory.Create(op, context));
            }
            _workspaceBytes = context.WorkspaceBytes;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public CudaBackend Backend { get; }

    public override long ArenaBytes => _memory.ArenaBytes + _workspaceBytes;

    /// <summary>Where the arena has the ops' workspace: behind all intermediates.</summary>
    public long WorkspaceOffset => _memory.ArenaBytes;

    public bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    // A cache line of the GPU.
    private const int Alignment = 128;

    public ulong Constant(Tensor root) => _constants[root];

    /// <summary>Which bound buffer holds a tensor, inputs first; −1 if none does.</summary>
    public int SlotOf(Tensor root) => _slots.GetValueOrDefault(root, -1);

    public long OffsetOf(Tensor root) => _memory.OffsetOf(root);

    public override BoundPlan Bind(DeviceQueue queue, PlanBuffers buffers)
    {
        if (buffers.Graph != Graph) throw new GraphException($"These buffers are for {buffers.Graph.Name}, not for {Graph.Name}.");
        if (queue is not CudaQueue own || own.Backend != Backend)
            throw new GraphException($"{Graph.Name}: queue '{queue.Name}' belongs to another backend.");
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        own.Reserve(this);
        return new CudaBoundPlan(this, own, buffers);
    }

    /// <summary>Launches all ops in order.</summary>
    /// <param name="context">Where.</param>
    /// <param name="trail">Told which op is launched; null for nobody.</param>
    public void Launch(LaunchContext context, LaunchTrail? trail = null)
    {
        foreach ((Op op, Kernel kernel) in _kernels)
        {
            trail?.Op = op;
            try
            {
                kernel.Launch(context);
            }
            catch (DeviceException e) when (e is not DeviceMemoryException && Backend.Context.Fault is null)
            {
                throw new DeviceException($"{Graph.Name}, {op.Name}: {e.Message}", e);
            }
        }
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1) return;
        Backend.Release(_weights);
        Backend.Retire(() =>
        {
            foreach (int site in _sites) Backend.Sites.Remove(site);
        });
    }
}
