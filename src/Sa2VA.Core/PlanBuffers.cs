namespace Sa2VA.Core;

/// <summary>Which memory each input, state and output of a graph is to have: what <see cref="ExecutionPlan.Bind"/> freezes.</summary>
public sealed class PlanBuffers
{
    private readonly BufferSlice[] _slices;

    /// <summary>Begins with nothing.</summary>
    public PlanBuffers(Graph graph)
    {
        Graph = graph;
        _slices = new BufferSlice[graph.Inputs.Count + graph.Outputs.Count];
    }

    /// <summary>The graph these buffers are for.</summary>
    public Graph Graph { get; }

    /// <summary>Gives a tensor its memory: a buffer of its type with at least its elements from <paramref name="offset"/> on.</summary>
    /// <exception cref="GraphException">The buffer does not fit, or the graph has no such input or output.</exception>
    public PlanBuffers Add(Tensor tensor, DeviceBuffer buffer, long offset = 0)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        int slot = SlotOf(tensor);
        if (buffer.Type != tensor.Type || offset < 0 || offset > buffer.Shape.Count - tensor.Shape.Count)
        {
            throw new GraphException($"{Graph.Name}: buffer '{buffer.Name}' {buffer.Type} {buffer.Shape}"
                + $"{(offset == 0 ? "" : $" from element {offset} on")} does not fit tensor {tensor}.");
        }
        _slices[slot] = new BufferSlice(buffer, offset);
        return this;
    }

    /// <summary>The memory of input or output slot <paramref name="slot"/>; inputs come first.</summary>
    /// <exception cref="GraphException">It has none.</exception>
    public BufferSlice this[int slot] => _slices[slot].Buffer is null
        ? throw new GraphException($"{Graph.Name}: tensor {TensorOf(slot)} is not bound.")
        : _slices[slot];

    /// <summary>Number of slots.</summary>
    public int Count => _slices.Length;

    private Tensor TensorOf(int slot) => slot < Graph.Inputs.Count ? Graph.Inputs[slot] : Graph.Outputs[slot - Graph.Inputs.Count];

    private int SlotOf(Tensor tensor)
    {
        for (int i = 0; i < _slices.Length; i++)
            if (ReferenceEquals(TensorOf(i), tensor)) return i;
        throw new GraphException($"{Graph.Name} has no input or output {tensor}.");
    }
}

/// <summary>A buffer from an element on.</summary>
/// <param name="Buffer">Memory.</param>
/// <param name="Offset">First element.</param>
public readonly record struct BufferSlice(DeviceBuffer Buffer, long Offset);
