namespace Sa2VA.Core;

/// <summary>A graph while a pass rewrites it: who reads what, which ops go or come, and where results have moved to.</summary>
internal sealed class GraphRewriter
{
    private readonly Graph _graph;
    private readonly Dictionary<Tensor, List<Op>> _readers = [];
    private readonly Dictionary<Tensor, Op> _writers = [];
    private readonly HashSet<Tensor> _outputs;
    private readonly Dictionary<Op, Op[]> _replaced = [];
    private readonly Dictionary<Tensor, Tensor> _moved = [];

    public GraphRewriter(Graph graph)
    {
        _graph = graph;
        _outputs = [.. graph.Outputs.Select(o => o.Root)];
        foreach (Op op in graph.Ops)
        {
            if (IsInner(op)) _writers.Add(op.Output, op);
            foreach (Tensor root in op.Inputs.Select(i => i.Root).Distinct())
            {
                if (!_readers.TryGetValue(root, out List<Op>? readers)) _readers.Add(root, readers = []);
                readers.Add(op);
            }
        }
    }

    /// <summary>Ops that read an op's result or a view of it, in order.</summary>
    public IReadOnlyList<Op> ReadersOf(Op op) => _readers.TryGetValue(op.Output.Root, out List<Op>? readers) ? readers : [];

    /// <summary>True when nobody but ops sees the result: it may go or move.</summary>
    public bool IsInner(Op op) => op.Output.Kind == TensorKind.Intermediate && !_outputs.Contains(op.Output.Root);

    /// <summary>The op whose whole result <paramref name="input"/> is, if a single op reads it and nobody else; else null.</summary>
    public Op? SoleWriterOf(Tensor input) =>
        WriterOf(input) is { } op && input.Shape.Count == op.Output.Shape.Count && ReadersOf(op).Count == 1 ? op : null;

    /// <summary>The op that wrote an intermediate which is no output; else null.</summary>
    public Op? WriterOf(Tensor input) => _writers.GetValueOrDefault(input.Root);

    /// <summary>Puts other ops in an op's place, or none.</summary>
    public void Replace(Op op, params Op[] by) => _replaced.Add(op, by);

    /// <summary>
    /// From now on an op's result is found in these columns of another tensor of as many rows. Views of it must be of rows and columns
    /// (<see cref="AreColumns"/>).
    /// </summary>
    public void Move(Op op, Tensor columns) => _moved.Add(op.Output, columns);

    /// <summary>True if a view takes columns of whole rows of its root, so that they may stand among other columns too.</summary>
    public static bool AreColumns(Tensor view) => view.RowStride == view.Root.Shape.Last;

    /// <summary>The rewritten graph; the given one if nothing was replaced.</summary>
    public Graph Build()
    {
        if (_replaced.Count == 0) return _graph;
        List<Op> ops = [];
        foreach (Op op in _graph.Ops)
            foreach (Op one in _replaced.TryGetValue(op, out Op[]? by) ? by : [op]) ops.Add(Follow(one));
        return new Graph(_graph.Name, ops, _graph.Inputs, _graph.Outputs, _graph.Numbers);
    }

    private Op Follow(Op op) => op.Inputs.Any(i => _moved.ContainsKey(i.Root)) ? op.On([.. op.Inputs.Select(Follow)]) : op;

    private Tensor Follow(Tensor view)
    {
        if (!_moved.TryGetValue(view.Root, out Tensor? columns)) return view;
        (long row, long column) = Math.DivRem(view.Offset, view.RowStride);
        return columns.View(view.Name, view.Shape, view.Length, row * columns.RowStride + column, columns.RowStride);
    }
}
