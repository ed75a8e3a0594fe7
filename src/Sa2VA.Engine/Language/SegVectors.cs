using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>The vector [D] that a [SEG] prompts the segmentation with: on the device for that, and on its way to the host.</summary>
internal sealed class SegVector(DeviceBuffer buffer, float[] values, Fence arrival) : IDisposable
{
    /// <summary>[1, D].</summary>
    public DeviceBuffer Buffer { get; } = buffer;

    /// <summary>Behind the work that writes it.</summary>
    public Fence Written => arrival;

    /// <summary>Waits for the values [D].</summary>
    /// <exception cref="NonFiniteException">They are not finite.</exception>
    public float[] Values()
    {
        arrival.Wait();
        return FiniteCheck.IsFinite(values) ? values : throw FiniteCheck.Error("The [SEG] projector");
    }

    public void Dispose() => Buffer.Dispose();
}

/// <summary>Projects a conversation's latest state to the vector that prompts the segmentation, on the language model's queue.</summary>
internal sealed class SegVectors : IDisposable
{
    private readonly IBackend _backend;
    private readonly DeviceQueue _queue;
    private readonly DeviceBuffer _seg;
    private readonly BoundPlan _plan;

    /// <param name="model">Whose states they are.</param>
    /// <param name="projector">From state to vector.</param>
    /// <param name="state">The latest state [1, H].</param>
    public SegVectors(LanguageModel model, Compiled<SegProjector> projector, DeviceBuffer state)
    {
        (_backend, _queue) = (model.Backend, model.Queue);
        (SegProjector graph, ExecutionPlan plan) = projector;
        _seg = _backend.Allocate("seg", DType.F32, graph.Seg.Shape);
        try
        {
            _plan = plan.Bind(_queue, new PlanBuffers(graph.Graph).Add(graph.State, state).Add(graph.Seg, _seg));
        }
        catch
        {
            _seg.Dispose();
            throw;
        }
    }

    /// <summary>The vector of the state as it is behind everything that is enqueued now.</summary>
    public SegVector Take(CancellationToken cancellation)
    {
        DeviceBuffer vector = _backend.Allocate("seg vector", DType.F32, _seg.Shape);
        try
        {
            _queue.Run(_plan, cancellation);
            _queue.Copy(_seg, 0, vector, 0, _seg.Shape.Count);
            var values = new float[_seg.Shape.Count];
            return new SegVector(vector, values, _queue.BeginRead(vector, values));
        }
        catch
        {
            vector.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _plan.Dispose();
        _seg.Dispose();
    }
}
