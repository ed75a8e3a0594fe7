namespace Sa2VA.Core;

/// <summary>
/// A plan with its queue and its memory: only the run-time scalars and lists change from run to run. Owns no memory itself; not for two
/// threads at once.
/// </summary>
public abstract class BoundPlan : IDisposable
{
    private readonly int[] _numbers;
    private readonly bool[] _listed;

    /// <param name="graph">What was compiled.</param>
    protected BoundPlan(Graph graph)
    {
        Graph = graph;
        _numbers = new int[graph.Numbers.Count];
        _listed = new bool[graph.Lists.Count];
        _numbers.AsSpan(0, graph.Scalars.Count).Fill(-1);
    }

    /// <summary>What was compiled.</summary>
    public Graph Graph { get; }

    /// <summary>Values of the run-time scalars, by index; −1 where not set.</summary>
    public ReadOnlySpan<int> Scalars => _numbers.AsSpan(0, Graph.Scalars.Count);

    /// <summary>
    /// Told how far a run is, as a share of its floating-point operations: above 0, below 1, between two ops, no more than a hundred times
    /// a run, on the thread that runs it and waits meanwhile. If it throws, the run fails with that. Runs that are enqueued from now on
    /// have it; null, the usual, costs nothing. A device that takes a run as a whole, as a GPU does, tells nothing.
    /// </summary>
    public Action<double>? Progress { get; set; }

    /// <summary>All that travels with a run: scalars by index, then the lists as they were recorded.</summary>
    public ReadOnlySpan<int> Numbers => _numbers;

    /// <summary>Sets a run-time scalar for the runs that are enqueued from now on.</summary>
    /// <exception cref="GraphException">
    /// The graph has no such scalar, it follows from others, or the value is outside 0…capacity.
    /// </exception>
    public BoundPlan Set(RuntimeScalar scalar, int value)
    {
        ArgumentNullException.ThrowIfNull(scalar);
        if ((uint)scalar.Index >= (uint)Graph.Scalars.Count || Graph.Scalars[scalar.Index] != scalar)
            throw new GraphException($"{Graph.Name} has no scalar {scalar}.");
        if (scalar.IsDerived) throw new GraphException($"{Graph.Name}: {scalar.Name} follows from other scalars and is not set.");
        if ((uint)value > (uint)scalar.Max)
            throw new GraphException($"{Graph.Name}: {scalar.Name} = {value} is outside 0…{scalar.Max}, the plan's capacity.");
        _numbers[scalar.Index] = value;
        // Those that follow from it come after it.
        for (int i = scalar.Index + 1; i < Graph.Scalars.Count; i++)
            if (Graph.Scalars[i] is { IsDerived: true } derived) _numbers[i] = derived.Value(_numbers);
        return this;
    }

    /// <summary>Sets a list for the runs that are enqueued from now on.</summary>
    /// <param name="list">The list.</param>
    /// <param name="values">Its first values; the others become the least that it may have.</param>
    /// <exception cref="GraphException">The graph has no such list, or the values do not fit it.</exception>
    public BoundPlan Set(Tensor list, ReadOnlySpan<int> values) => Set(list, 0, values, list.Shape.Count);

    /// <summary>Sets one row of a list; the other rows stay as they are, or have the least value if they were never set.</summary>
    /// <param name="list">The list [rows, n].</param>
    /// <param name="row">Which row.</param>
    /// <param name="values">The row's first values; the others become the least that the list may have.</param>
    /// <exception cref="GraphException">The graph has no such list or row, or the values do not fit it.</exception>
    public BoundPlan SetRow(Tensor list, int row, ReadOnlySpan<int> values)
    {
        if ((uint)row >= (uint)list.Shape.Rows) throw new GraphException($"{Graph.Name}: list {list} has no row {row}.");
        return Set(list, (long)row * list.Shape.Last, values, list.Shape.Last);
    }

    /// <summary>What a queue calls before it takes a run: whatever can be known of it beforehand is checked here.</summary>
    /// <exception cref="GraphException">A scalar or a list is not set, or the numbers do not fit each other.</exception>
    public void CheckRun()
    {
        for (int i = 0; i < Graph.Scalars.Count; i++)
        {
            RuntimeScalar scalar = Graph.Scalars[i];
            if (_numbers[i] < 0) throw new GraphException($"{Graph.Name}: scalar '{scalar.Name}' is not set.");
            if (_numbers[i] > scalar.Max)
                throw new GraphException($"{Graph.Name}: {scalar.Name} = {_numbers[i]} is outside 0…{scalar.Max}, the plan's capacity.");
        }
        for (int i = 0; i < _listed.Length; i++)
            if (!_listed[i]) throw new GraphException($"{Graph.Name}: list '{Graph.Lists[i].Name}' is not set.");
        foreach (Op op in Graph.RunChecks) op.CheckRun(_numbers);
    }

    /// <summary>Ends it: later runs are refused, those that are enqueued still run.</summary>
    public abstract void Dispose();

    private BoundPlan Set(Tensor list, long at, ReadOnlySpan<int> values, long count)
    {
        int index = IndexOf(list);
        if (values.Length > count) throw new GraphException($"{Graph.Name}: {values.Length} values are too many for list {list}.");
        IndexRange range = list.Range!.Value;
        if (values.ContainsAnyExceptInRange(range.Least, range.End - 1))
        {
            int wrong = values.IndexOfAnyExceptInRange(range.Least, range.End - 1);
            throw new GraphException($"{Graph.Name}: value {values[wrong]} at place {at + wrong} of list '{list.Name}' is outside "
                + $"{range.Least}…{range.End - 1}.");
        }
        if (!_listed[index]) _numbers.AsSpan(list.BlockOffset, (int)list.Shape.Count).Fill(range.Least);
        Span<int> target = _numbers.AsSpan(list.BlockOffset + (int)at, (int)count);
        values.CopyTo(target);
        target[values.Length..].Fill(range.Least);
        _listed[index] = true;
        return this;
    }

    private int IndexOf(Tensor list)
    {
        for (int i = 0; i < Graph.Lists.Count; i++)
            if (ReferenceEquals(Graph.Lists[i], list)) return i;
        throw new GraphException($"{Graph.Name} has no list {list}.");
    }
}
