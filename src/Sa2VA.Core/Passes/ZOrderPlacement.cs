namespace Sa2VA.Core;

/// <summary>Where a backend that has kernels for <see cref="ZOrder"/> lays maps so.</summary>
public enum ZOrderUse
{
    /// <summary>All maps are raster maps.</summary>
    Nowhere,
    /// <summary>Where that moves fewer bytes, copies counted.</summary>
    WhereItPays,
    /// <summary>Wherever it can be: for tests of the kernels.</summary>
    Wherever,
}

/// <summary>
/// Gives maps of a graph their order. Ops that work row by row do not notice; windows are runs of rows, and 2×2 blocks are four rows, so
/// that a product can pool its results before it stores them. Inputs, outputs and what another op reads are raster maps: a copy stands
/// between. Which ops work in Z-order is the cut of the graph that moves the fewest bytes. No sum changes.
/// </summary>
internal sealed class ZOrderPlacement
{
    // What a launch costs, in bytes that are moved meanwhile: 1 µs of a GPU.
    private const long LaunchBytes = 3 << 20;

    private readonly Graph _graph;
    private readonly GraphRewriter _readers;
    private readonly Func<Linear, bool> _pools;
    private readonly HashSet<Tensor> _outputs;
    private readonly Dictionary<(Tensor Root, int Height, int Width), Tensor> _ordered = [];
    private readonly Dictionary<Tensor, Tensor> _waiting = [];
    private readonly List<Op> _ops = [];

    /// <param name="graph">As it is stored.</param>
    /// <param name="pools">True for layers that have a kernel which pools their results.</param>
    public ZOrderPlacement(Graph graph, Func<Linear, bool> pools)
    {
        (_graph, _pools, _readers) = (graph, pools, new GraphRewriter(graph));
        _outputs = [.. graph.Outputs.Select(o => o.Root)];
    }

    /// <summary>The graph itself where nothing is to be gained.</summary>
    public Graph Apply(ZOrderUse use)
    {
        HashSet<Op> able = [.. _graph.Ops.Where(IsAble)];
        HashSet<Op> chosen = use == ZOrderUse.Wherever ? able : use == ZOrderUse.WhereItPays ? Cut(able) : [];
        if (chosen.Count == 0) return _graph;
        HashSet<Op> pooled = [.. chosen.OfType<MaxPool2d>().Select(PooledBy).OfType<Linear>().Where(chosen.Contains)];
        foreach (Op op in _graph.Ops)
        {
            if (pooled.Contains(op)) continue;
            Op from = op is MaxPool2d pool && PooledBy(pool) is { } layer && pooled.Contains(layer)
                ? new LinearMaxPool(layer) { Name = layer.Name, Output = op.Output } : op;
            if (chosen.Contains(op)) Order(from);
            else
            {
                foreach (Tensor input in op.Inputs) MakeRaster(input.Root);
                _ops.Add(op);
            }
        }
        return new Graph(_graph.Name, _ops, _graph.Inputs, _graph.Outputs, _graph.Numbers);
    }

    /// <summary>True if an op can read and write maps in Z-order.</summary>
    private static bool IsAble(Op op)
    {
        Tensor y = op.Output;
        if (y.Kind != TensorKind.Intermediate || y.Shape.Rank != 3 || y.Length is not null || op.Besides.Count > 0) return false;
        return op switch
        {
            PatchRows => ZOrder.Side(y.Shape) > 1,
            Linear or GatedLinear or LayerNorm or RmsNorm or Map or Copy => op.Inputs.All(x => IsMap(x, y.Shape[0], y.Shape[1])),
            Combine => IsMap(op.Inputs[0], y.Shape[0], y.Shape[1])
                && (op.Inputs[1].Shape.Rows == 1 || IsMap(op.Inputs[1], y.Shape[0], y.Shape[1])),
            MaxPool2d => IsMap(op.Inputs[0], 2 * y.Shape[0], 2 * y.Shape[1]),
            WindowAttention w => IsMap(w.Inputs[0], w.Inputs[0].Shape[0], w.Inputs[0].Shape[1]) && int.IsPow2(w.Window)
                && w.Window > 1 && w.Window <= Math.Min(256, ZOrder.Side(w.Inputs[0].Shape)),
            _ => false,
        };
    }

    /// <summary>True for all rows of a tensor, or columns of them, as a map of that size which has an order.</summary>
    private static bool IsMap(Tensor x, int height, int width) =>
        x.Shape.Rank == 3 && (x.Shape[0], x.Shape[1], x.Length) == (height, width, null) && ZOrder.Side(x.Shape) > 1
        && GraphRewriter.AreColumns(x) && x.Shape.Rows == x.Root.Shape.Rows && x.Offset < x.RowStride
        && (x.Root.Shape.Rank != 3 || (x.Root.Shape[0], x.Root.Shape[1]) == (height, width));

    /// <summary>The layer whose results a pooling alone reads, if there is a kernel that does both.</summary>
    private Linear? PooledBy(MaxPool2d pool) =>
        _readers.SoleWriterOf(pool.Inputs[0]) is Linear { IsPlain: true } layer && _pools(layer) ? layer : null;

    private HashSet<Op> Cut(HashSet<Op> able)
    {
        // Of each op itself, and of its result where readers want another order than it was written in: one for either order.
        const int Each = 3;
        int Node(int op) => 2 + Each * op;
        var cut = new MinimumCut(Node(_graph.Ops.Count));
        var writers = new Dictionary<Tensor, int>();
        bool gains = false;
        for (int i = 0; i < _graph.Ops.Count; i++)
        {
            Op op = _graph.Ops[i];
            if (!able.Contains(op)) cut.Add(Node(i), MinimumCut.Second, MinimumCut.Never);
            foreach (Tensor root in op.Inputs.Select(x => x.Root).Distinct())
            {
                if (writers.TryGetValue(root, out int writer))
                {
                    cut.Add(Node(writer) + 1, Node(i), MinimumCut.Never);
                    cut.Add(Node(i), Node(writer) + 2, MinimumCut.Never);
                }
                else if (root.Kind != TensorKind.Constant) cut.Add(Node(i), MinimumCut.Second, CostOf(root));
            }
            if (op.Output.Kind != TensorKind.Intermediate) continue;
            writers.Add(op.Output.Root, i);
            cut.Add(Node(i), Node(i) + 1, CostOf(op.Output));
            cut.Add(Node(i) + 2, Node(i), CostOf(op.Output));
            if (_outputs.Contains(op.Output.Root)) cut.Add(Node(i) + 1, MinimumCut.Second, MinimumCut.Never);
            if (!able.Contains(op) || op is not MaxPool2d pool || PooledBy(pool) is not { } layer) continue;
            cut.Add(MinimumCut.First, Node(i), CostOf(layer.Output));
            gains = true;
        }
        if (!gains) return [];
        bool[] isOrdered = cut.Sides();
        return [.. _graph.Ops.Where((_, i) => isOrdered[Node(i)])];
    }

    /// <summary>Bytes moved by a launch that writes a tensor and one that reads it, or by a copy.</summary>
    private static long CostOf(Tensor tensor) => LaunchBytes + 2 * tensor.Shape.Count * tensor.Type.Size();

    private void Order(Op op)
    {
        Op placed = op.On([.. op.Inputs.Select(x => x.Shape.Rank == 3 && x.Shape.Rows > 1 && op is not PatchRows ? Ordered(x) : x)]);
        Tensor y = op.Output;
        placed.Output = new Tensor(y.Name, y.Type, y.Shape, TensorKind.Intermediate, null) { KeepsFloat = y.KeepsFloat, IsZOrdered = true };
        _ordered.Add((y, y.Shape[0], y.Shape[1]), placed.Output);
        _waiting.Add(y, placed.Output);
        _ops.Add(placed);
        if (_outputs.Contains(y)) MakeRaster(y);
    }

    /// <summary>A view of a map's rows where they are in Z-order.</summary>
    private Tensor Ordered(Tensor view)
    {
        Tensor root = view.Root;
        (Tensor, int, int) key = (root, view.Shape[0], view.Shape[1]);
        if (!_ordered.TryGetValue(key, out Tensor? ordered))
        {
            var shape = new Shape(view.Shape[0], view.Shape[1], root.Shape.Last);
            ordered = new Tensor(root.Name, root.Type, shape, root.Data is null ? TensorKind.Intermediate : TensorKind.Constant, null)
            {
                KeepsFloat = root.KeepsFloat,
                IsZOrdered = true,
                Data = root.Data is null ? null : Permuted(root.Data, shape),
            };
            _ordered.Add(key, ordered);
            Tensor raster = root.View(root.Name, shape, null, 0, shape.Last);
            if (root.Data is null) _ops.Add(new Reorder(raster) { Name = $"{root.Name}, in Z-order", Output = ordered });
        }
        return view.Shape == ordered.Shape ? ordered : ordered.View(view.Name, view.Shape, null, view.Offset, view.RowStride);
    }

    /// <summary>Sees that a tensor which was computed in Z-order is there as a raster map too.</summary>
    private void MakeRaster(Tensor root)
    {
        if (_waiting.Remove(root, out Tensor? ordered)) _ops.Add(new Reorder(ordered) { Name = $"{root.Name}, raster", Output = root });
    }

    private static ConstantData Permuted(ConstantData data, Shape map) =>
        new($"{data.Key ?? data.Weight!.Name} in Z-order of {map[0]}×{map[1]}", data.Source ?? data.Weight?.Source, to =>
        {
            var raster = new float[map.Count];
            if (data.Weight is { } weight) WeightValues.Vector(weight, raster);
            else data.Fill!(raster);
            ZOrder.Permute(map, raster, to);
        });
}
