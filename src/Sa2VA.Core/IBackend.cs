namespace Sa2VA.Core;

/// <summary>A device that compiles graphs and owns the memory they run in. Nothing above this interface knows which device it is.</summary>
public interface IBackend : IDisposable
{
    /// <summary>Short name: <c>cpu</c>.</summary>
    string Name { get; }

    /// <summary>What the device is, for people.</summary>
    string Description { get; }

    /// <summary>Bytes held now, by purpose.</summary>
    BackendMemory Memory { get; }

    /// <summary>Memory of the device for inputs, states and outputs; contents are zero.</summary>
    /// <exception cref="DeviceException">The budget does not suffice.</exception>
    DeviceBuffer Allocate(string name, DType type, Shape shape);

    /// <summary>Chooses kernels, packs the weights that no earlier plan has packed, and places intermediates in the arena.</summary>
    /// <exception cref="DeviceException">The budget does not suffice, or the backend lacks an op; the message names it.</exception>
    ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default);
}

/// <summary>Bytes that a backend holds.</summary>
/// <param name="Weights">Packed weights and constants.</param>
/// <param name="Arena">The arena that all plans share; plans run one at a time.</param>
/// <param name="Buffers">Inputs, states and outputs.</param>
public readonly record struct BackendMemory(long Weights, long Arena, long Buffers)
{
    /// <summary>Sum.</summary>
    public long Total => Weights + Arena + Buffers;
}

/// <summary>Device memory with one owner.</summary>
public abstract class DeviceBuffer(string name, DType type, Shape shape) : IDisposable
{
    /// <summary>Name for messages.</summary>
    public string Name { get; } = name;

    /// <summary>Element type.</summary>
    public DType Type { get; } = type;

    /// <summary>Extents, row-major.</summary>
    public Shape Shape { get; } = shape;

    /// <summary>Bytes held.</summary>
    public long Bytes => Shape.Count * Type.Size();

    /// <summary>Copies elements in; <typeparamref name="T"/> must have the element's size.</summary>
    /// <param name="source">Elements.</param>
    /// <param name="offset">First element to overwrite.</param>
    public abstract void Write<T>(ReadOnlySpan<T> source, long offset = 0) where T : unmanaged;

    /// <summary>Copies elements out; <typeparamref name="T"/> must have the element's size.</summary>
    /// <param name="destination">Filled completely.</param>
    /// <param name="offset">First element to read.</param>
    public abstract void Read<T>(Span<T> destination, long offset = 0) where T : unmanaged;

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>
/// A compiled graph. <see cref="Run"/> allocates no managed memory. Plans of one backend share its arena and workers: runs are serialised
/// by the backend, so any thread may call.
/// </summary>
public abstract class ExecutionPlan(Graph graph) : IDisposable
{
    /// <summary>What was compiled.</summary>
    public Graph Graph { get; } = graph;

    /// <summary>Most bytes of intermediates alive at once, as placed.</summary>
    public abstract long ArenaBytes { get; }

    /// <summary>Runs every op once.</summary>
    /// <exception cref="GraphException">A tensor is not bound or a scalar not set.</exception>
    /// <exception cref="OperationCanceledException">Cancelled between two ops; bound states may be partly written.</exception>
    public abstract void Run(PlanBindings bindings, CancellationToken cancellation = default);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>The buffers and lengths of one caller's runs of one plan. Reused from run to run; not for two threads at once.</summary>
public sealed class PlanBindings
{
    private readonly DeviceBuffer?[] _buffers;
    private readonly int[] _scalars;

    /// <summary>Creates empty bindings for a graph.</summary>
    public PlanBindings(Graph graph)
    {
        Graph = graph;
        _buffers = new DeviceBuffer?[graph.Inputs.Count + graph.Outputs.Count];
        _scalars = new int[graph.Scalars.Count];
        Array.Fill(_scalars, -1);
    }

    /// <summary>The graph these bindings are for.</summary>
    public Graph Graph { get; }

    /// <summary>Values of the run-time scalars, by index; −1 where not set.</summary>
    public ReadOnlySpan<int> Scalars => _scalars;

    /// <summary>Binds an input, state or output; the buffer must have its type and at least its elements.</summary>
    public PlanBindings Bind(Tensor tensor, DeviceBuffer buffer)
    {
        int slot = SlotOf(tensor);
        if (buffer.Type != tensor.Type || buffer.Shape.Count < tensor.Shape.Count)
            throw new GraphException($"{Graph.Name}: buffer '{buffer.Name}' {buffer.Type} {buffer.Shape} does not fit tensor {tensor}.");
        _buffers[slot] = buffer;
        return this;
    }

    /// <summary>Sets a run-time scalar.</summary>
    public PlanBindings Set(RuntimeScalar scalar, int value)
    {
        if ((uint)scalar.Index >= (uint)_scalars.Length || Graph.Scalars[scalar.Index] != scalar)
            throw new GraphException($"{Graph.Name} has no scalar {scalar}.");
        if ((uint)value > (uint)scalar.Max)
            throw new GraphException($"{Graph.Name}: {scalar.Name} = {value} is outside 0…{scalar.Max}, the plan's capacity.");
        _scalars[scalar.Index] = value;
        return this;
    }

    /// <summary>The buffer of input or output slot <paramref name="slot"/>; inputs come first.</summary>
    public DeviceBuffer Buffer(int slot) => _buffers[slot]
        ?? throw new GraphException($"{Graph.Name}: tensor {TensorOf(slot)} is not bound.");

    /// <summary>Throws unless everything is bound and set.</summary>
    public void CheckComplete()
    {
        for (int i = 0; i < _buffers.Length; i++) Buffer(i);
        for (int i = 0; i < _scalars.Length; i++)
            if (_scalars[i] < 0) throw new GraphException($"{Graph.Name}: scalar '{Graph.Scalars[i].Name}' is not set.");
    }

    private Tensor TensorOf(int slot) => slot < Graph.Inputs.Count ? Graph.Inputs[slot] : Graph.Outputs[slot - Graph.Inputs.Count];

    private int SlotOf(Tensor tensor)
    {
        for (int i = 0; i < _buffers.Length; i++)
            if (ReferenceEquals(TensorOf(i), tensor)) return i;
        throw new GraphException($"{Graph.Name} has no input or output {tensor}.");
    }
}
