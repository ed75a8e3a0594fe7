namespace Sa2VA.Core;

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
