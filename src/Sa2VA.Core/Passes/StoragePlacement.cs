namespace Sa2VA.Core;

/// <summary>Gives tensors of a graph their stored types: each op is repeated on tensors that have them.</summary>
/// <param name="narrow">Tensors that are to be BF16.</param>
/// <param name="kernels">What needs a copy.</param>
internal sealed class StoragePlacement(IReadOnlySet<Tensor> narrow, INarrowKernels kernels)
{
    private readonly Dictionary<Tensor, Tensor> _stored = [];
    private readonly List<Op> _ops = [];

    public Graph Apply(Graph graph)
    {
        foreach (Op op in graph.Ops)
        {
            Op placed = op.On([.. op.Inputs.Select((input, i) => Readable(op, i, Stored(input)))]);
            _ops.Add(placed);
            if (!narrow.Contains(op.Output)) continue;
            Tensor stored = WithType(op.Output, DType.BF16);
            _stored.Add(op.Output, stored);
            if (kernels.Writes(op)) placed.Output = stored;
            else
            {
                placed.Output = WithType(op.Output, DType.F32);
                _ops.Add(CopyOf(placed.Output, stored));
            }
        }
        return new Graph(graph.Name, _ops, graph.Inputs, graph.Outputs, graph.Numbers);
    }

    /// <summary>The tensor itself, or a wider copy for a kernel that cannot read it.</summary>
    private Tensor Readable(Op op, int input, Tensor tensor)
    {
        if (tensor.Root == op.Inputs[input].Root || kernels.Reads(op, input)) return tensor;
        var wide = new Tensor(tensor.Name, DType.F32, tensor.Shape, TensorKind.Intermediate, tensor.Length);
        _ops.Add(CopyOf(tensor, wide));
        return wide;
    }

    private Tensor Stored(Tensor view) => !_stored.TryGetValue(view.Root, out Tensor? root) ? view
        : view == view.Root ? root : root.View(view.Name, view.Shape, view.Length, view.Offset, view.RowStride);

    private static Tensor WithType(Tensor tensor, DType type) =>
        new(tensor.Name, type, tensor.Shape, TensorKind.Intermediate, tensor.Length);

    private static Copy CopyOf(Tensor from, Tensor to) => new(from) { Name = $"{from.Name}, as {to.Type}", Output = to };
}
