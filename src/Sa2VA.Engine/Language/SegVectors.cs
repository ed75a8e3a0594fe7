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

    /// <summary>The values [D], once <see cref="Written"/> is reached.</summary>
    /// <exception cref="NonFiniteException">They are not finite.</exception>
    public float[] Values => FiniteCheck.IsFinite(values) ? values : throw FiniteCheck.Error("The [SEG] projector");

    public void Dispose() => Buffer.Dispose();
}

/// <summary>
/// Projects the latest state of a sequence to the vector that prompts the segmentation, on the language model's queue. One caller at a
/// time.
/// </summary>
internal sealed class SegVectors : IDisposable
{
    private readonly LanguageModel _model;
    private readonly ExecutionPlan _plan;
    private readonly DeviceBuffer? _state, _seg;
    private readonly BoundPlan? _bound;

    /// <param name="model">Whose states they are.</param>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="width">D.</param>
    /// <param name="cancellation">Stops the compilation.</param>
    public SegVectors(LanguageModel model, IWeightSource weights, int width, CancellationToken cancellation = default)
    {
        _model = model;
        var graph = new SegProjector(weights, model.Config.HiddenSize, width);
        _plan = model.Backend.Compile(graph.Graph, cancellation);
        try
        {
            _state = model.Backend.Allocate("state", graph.State.Type, graph.State.Shape);
            _seg = model.Backend.Allocate("seg", graph.Seg.Type, graph.Seg.Shape);
            _bound = _plan.Bind(model.Queue, new PlanBuffers(graph.Graph).Add(graph.State, _state).Add(graph.Seg, _seg));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The vector of the state in a slot as it is behind everything that is enqueued now.</summary>
    public SegVector Take(int slot)
    {
        DeviceQueue queue = _model.Queue;
        DeviceBuffer vector = _model.Backend.Allocate("seg vector", DType.F32, _seg!.Shape);
        try
        {
            Fence begin = queue.Mark();
            queue.Copy(_model.Hidden, slot * _state!.Shape.Count, _state, 0, _state.Shape.Count);
            queue.Run(_bound!);
            queue.Copy(_seg, 0, vector, 0, _seg.Shape.Count);
            var values = new float[_seg.Shape.Count];
            return new SegVector(vector, values, queue.BeginRead(vector, values).Since(begin));
        }
        catch
        {
            vector.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _bound?.Dispose();
        _state?.Dispose();
        _seg?.Dispose();
        _plan.Dispose();
    }
}
