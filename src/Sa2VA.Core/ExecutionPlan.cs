namespace Sa2VA.Core;

/// <summary>
/// A compiled graph: kernels chosen, weights packed, intermediates placed. It owns no state of a run; any thread may bind it.
/// </summary>
public abstract class ExecutionPlan(Graph graph) : IDisposable
{
    /// <summary>What was compiled.</summary>
    public Graph Graph { get; } = graph;

    /// <summary>Bytes of intermediates, as placed.</summary>
    public abstract long ArenaBytes { get; }

    /// <summary>Freezes where everything lies: ready to be enqueued on that queue.</summary>
    /// <param name="queue">Of the same backend; its arena grows if it has to, which waits until the queue is idle.</param>
    /// <param name="buffers">Memory of every input, state and output.</param>
    /// <exception cref="GraphException">A tensor has no memory, or the buffers are for another graph.</exception>
    /// <exception cref="DeviceMemoryException">The budget does not suffice for the arena.</exception>
    public abstract BoundPlan Bind(DeviceQueue queue, PlanBuffers buffers);

    /// <summary>Ends the plan: weights that no other plan uses are freed, after the runs that are enqueued.</summary>
    public abstract void Dispose();
}
