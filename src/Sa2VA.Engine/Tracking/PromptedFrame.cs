using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Finds what a prompt names on a picture. One prompt at a time; another one of its kind can take its place.
/// </summary>
internal sealed class PromptedFrame : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly Compiled<PromptedFrameGraph> _compiled;
    private readonly DeviceBuffer _sparse;
    private readonly DeviceBuffer? _dense, _memory;
    private BoundPlan[] _plans = [];
    private IReadOnlyList<FrameFeatures> _frames = [];
    private int _rows;

    /// <param name="model">Model.</param>
    /// <param name="prompt">The first prompt; its kind is that of all.</param>
    /// <param name="memory">The frame's tokens [G², D] when they know of the object's past; null for a frame that stands alone.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public PromptedFrame(SegmentationModel model, ObjectPrompt prompt, DeviceBuffer? memory, CancellationToken cancellation)
    {
        (_model, _memory) = (model, memory);
        _compiled = model.PromptedFrame(prompt.Kind(memory: memory is not null), cancellation);
        PromptedFrameGraph graph = _compiled.Graph;
        try
        {
            _sparse = model.Backend.Allocate("sparse prompt", graph.Prompt.Sparse.Type, graph.Prompt.Sparse.Shape);
            if (graph.Prompt.Dense is { } dense) _dense = model.Backend.Allocate("dense prompt", dense.Type, dense.Shape);
            SetPrompt(prompt, cancellation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Enqueues looking for what a prompt names, once.</summary>
    /// <param name="model">Model.</param>
    /// <param name="frame">The frame's features.</param>
    /// <param name="memory">The frame's tokens when they know of the object's past; null for a frame that stands alone.</param>
    /// <param name="prompt">The prompt.</param>
    /// <param name="results">Receives the result in its first row.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public static void Find(SegmentationModel model, FrameFeatures frame, DeviceBuffer? memory, ObjectPrompt prompt, MaskResults results,
        CancellationToken cancellation)
    {
        using var prompted = new PromptedFrame(model, prompt, memory, cancellation);
        prompted.Bind([frame], [results], 0);
        prompted.Run(0, cancellation);
    }

    /// <summary>Says which pictures may be looked at, and where each one's results go.</summary>
    public void Bind(IReadOnlyList<FrameFeatures> frames, IReadOnlyList<MaskResults> results, int row)
    {
        PromptedFrameGraph graph = _compiled.Graph;
        Unbind();
        _frames = frames;
        _plans = [.. frames.Select((frame, i) =>
        {
            PlanBuffers buffers = new PlanBuffers(graph.Graph).Add(graph.Prompt.Sparse, _sparse);
            if (graph.Prompt.Dense is not null) buffers.Add(graph.Prompt.Dense, _dense!);
            frame.AddTo(buffers, graph.Frame, _memory);
            return _compiled.Plan.Bind(_model.Queue, results[i].AddTo(buffers, graph.Outputs, row));
        })];
    }

    /// <summary>Takes another prompt of the same kind for the runs that are enqueued from now on.</summary>
    /// <param name="prompt">What names the object.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void SetPrompt(ObjectPrompt prompt, CancellationToken cancellation)
    {
        DeviceQueue queue = _model.Queue;
        queue.Write<float>(_sparse, prompt.Sparse);
        if (prompt.Seg is { } seg)
        {
            queue.WaitFor(prompt.SegWritten);
            queue.Copy(seg, 0, _sparse, prompt.Sparse.Length, seg.Shape.Count);
        }
        _rows = prompt.SparseRows;
        if (_dense is null) return;
        (MaskPromptGraph graph, ExecutionPlan plan) = _model.MaskPrompt(cancellation);
        using DeviceBuffer mask = _model.Backend.Allocate("mask prompt", DType.F32, graph.Mask.Shape);
        queue.Write<float>(mask, prompt.MaskLogits!);
        using BoundPlan bound = plan.Bind(queue, new PlanBuffers(graph.Graph).Add(graph.Mask, mask).Add(graph.Dense, _dense));
        queue.Run(bound, cancellation);
    }

    /// <summary>Waits for the language vector that ends the prompt [D].</summary>
    public float[] ReadSeg()
    {
        int width = _sparse.Shape.Last;
        var seg = new float[width];
        _model.Queue.Read<float>(_sparse, seg, (_rows - 1L) * width);
        return seg;
    }

    /// <summary>Enqueues looking for the prompt.</summary>
    /// <param name="frame">Which of the pictures.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Run(int frame, CancellationToken cancellation)
    {
        _compiled.Graph.Prompt.SetSparse(_plans[frame], _rows);
        _model.Queue.WaitFor(_frames[frame].Encoded);
        _model.Queue.Run(_plans[frame], cancellation);
    }

    /// <summary>The error for a result that is not finite, which names the first stage that went wrong.</summary>
    public NonFiniteException NotFinite(FrameFeatures frame) =>
        FiniteCheck.Error(frame.IsFinite() ? "The mask decoder" : FrameFeatures.Stage);

    /// <inheritdoc/>
    public void Dispose()
    {
        Unbind();
        _sparse?.Dispose();
        _dense?.Dispose();
    }

    private void Unbind()
    {
        foreach (BoundPlan plan in _plans) plan.Dispose();
        _plans = [];
    }
}
