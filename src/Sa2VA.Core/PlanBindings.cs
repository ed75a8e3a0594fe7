namespace Sa2VA.Core;

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
