namespace Sa2VA.Core;

/// <summary>
/// Rewrites a graph into an equal one of fewer launches. Networks are recorded as they are read; a backend applies the passes when it
/// compiles, so all plans of a network hold the same merged weights.
/// </summary>
public static class GraphPasses
{
    private static readonly Func<Graph, Graph>[] All =
    [
        FoldLinears.Apply, StackProjections.Apply, FuseSwiGlu.Apply, FuseArgMax.Apply, GatherBeforeProduct.Apply,
        FuseRotaryAppend.Apply, FuseResidualNorm.Apply,
    ];

    /// <summary>A graph of the same inputs, outputs and scalars; <paramref name="graph"/> itself stays as it is.</summary>
    public static Graph Apply(Graph graph)
    {
        foreach (Func<Graph, Graph> pass in All) graph = pass(graph);
        return graph;
    }

    /// <summary>
    /// The same, where what makes tokens of an 8-bit image is a product of patch rows (<see cref="Core.PatchRows"/>): for backends that
    /// have a kernel for those. Before the other passes, one of which takes sums along that these products could add.
    /// </summary>
    public static Graph PatchRows(Graph graph) => FusePatchRows.Apply(graph);

    /// <summary>
    /// The same where projections rotate their heads themselves (<see cref="LinearRotary"/>), for backends that have a kernel for that.
    /// </summary>
    /// <param name="graph">With its types as they are stored.</param>
    /// <param name="suits">True for what the backend has a kernel for.</param>
    public static Graph Rotated(Graph graph, Func<LinearRotary, bool> suits) => FuseLinearRotary.Apply(graph, suits);

    /// <summary>
    /// The same with maps in <see cref="Core.ZOrder"/>, for backends whose kernels of <see cref="Linear"/> and other ops by rows,
    /// <see cref="Core.PatchRows"/>, <see cref="WindowAttention"/> and <see cref="MaxPool2d"/> look at <see cref="Tensor.IsZOrdered"/>.
    /// </summary>
    /// <param name="graph">With its types as they are stored: what is copied is counted in bytes.</param>
    /// <param name="use">Where.</param>
    /// <param name="pools">True for layers of which the backend has a kernel that pools its results (<see cref="LinearMaxPool"/>).</param>
    public static Graph ZOrdered(Graph graph, ZOrderUse use, Func<Linear, bool> pools) => new ZOrderPlacement(graph, pools).Apply(use);
}
