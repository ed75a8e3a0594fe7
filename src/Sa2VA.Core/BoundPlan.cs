namespace Sa2VA.Core;

/// <summary>
/// A plan with its queue and its memory: only the run-time scalars change from run to run. Owns no memory itself; not for two threads at
/// once.
/// </summary>
public abstract class BoundPlan : IDisposable
{
    private readonly int[] _scalars;

    /// <param name="graph">What was compiled.</param>
    protected BoundPlan(Graph graph)
    {
        Graph = graph;
        _scalars = new int[graph.Scalars.Count];
        Array.Fill(_scalars, -1);
    }

    /// <summary>What was compiled.</summary>
    public Graph Graph { get; }

    /// <summary>Values of the run-time scalars, by index; −1 where not set.</summary>
    public ReadOnlySpan<int> Scalars => _scalars;

    /// <summary>Sets a run-time scalar for the runs that are enqueued from now on.</summary>
    /// <exception cref="GraphException">
    /// The graph has no such scalar, it follows from others, or the value is outside 0…capacity.
    /// </exception>
    public BoundPlan Set(RuntimeScalar scalar, int value)
    {
        ArgumentNullException.ThrowIfNull(scalar);
        if ((uint)scalar.Index >= (uint)_scalars.Length || Graph.Scalars[scalar.Index] != scalar)
            throw new GraphException($"{Graph.Name} has no scalar {scalar}.");
        if (scalar.IsDerived) throw new GraphException($"{Graph.Name}: {scalar.Name} follows from other scalars and is not set.");
        if ((uint)value > (uint)scalar.Max)
            throw new GraphException($"{Graph.Name}: {scalar.Name} = {value} is outside 0…{scalar.Max}, the plan's capacity.");
        _scalars[scalar.Index] = value;
        // Those that follow from it come after it.
        for (int i = scalar.Index + 1; i < _scalars.Length; i++)
            if (Graph.Scalars[i] is { IsDerived: true } derived) _scalars[i] = derived.Value(_scalars);
        return this;
    }

    /// <summary>What a queue calls before it takes a run: whatever can be known of it beforehand is checked here.</summary>
    /// <exception cref="GraphException">A scalar is not set, or the scalars do not fit each other.</exception>
    public void CheckScalars()
    {
        for (int i = 0; i < _scalars.Length; i++)
        {
            RuntimeScalar scalar = Graph.Scalars[i];
            if (_scalars[i] < 0) throw new GraphException($"{Graph.Name}: scalar '{scalar.Name}' is not set.");
            if (_scalars[i] > scalar.Max)
                throw new GraphException($"{Graph.Name}: {scalar.Name} = {_scalars[i]} is outside 0…{scalar.Max}, the plan's capacity.");
        }
        foreach (Op op in Graph.ScalarChecks) op.CheckScalars(_scalars);
    }

    /// <summary>Ends it: later runs are refused, those that are enqueued still run.</summary>
    public abstract void Dispose();
}
