using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Finds what a prompt names on a picture, without memory. One prompt at a time; another one of its kind can take its place.
/// </summary>
internal sealed class PromptedFrame : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly Compiled<PromptedFrameGraph> _compiled;
    private readonly MaskPrediction _prediction;
    private readonly PlanBindings _bindings;
    private readonly DeviceBuffer _sparse;
    private readonly DeviceBuffer? _dense;

    /// <param name="model">Model.</param>
    /// <param name="prompt">The first prompt; its kind is that of all.</param>
    /// <param name="prediction">Where results go.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public PromptedFrame(SegmentationModel model, ObjectPrompt prompt, MaskPrediction prediction, CancellationToken cancellation)
    {
        (_model, _prediction) = (model, prediction);
        _compiled = model.PromptedFrame(prompt.Multimask, dense: prompt.MaskLogits is not null, cancellation);
        PromptedFrameGraph graph = _compiled.Graph;
        _bindings = new PlanBindings(graph.Graph);
        prediction.BindTo(_bindings, graph.Outputs);
        try
        {
            _sparse = model.Backend.Allocate("sparse prompt", graph.Prompt.Sparse.Type, graph.Prompt.Sparse.Shape);
            _bindings.Bind(graph.Prompt.Sparse, _sparse);
            if (graph.Prompt.Dense is { } dense)
            {
                _dense = model.Backend.Allocate("dense prompt", dense.Type, dense.Shape);
                _bindings.Bind(dense, _dense);
            }
            SetPrompt(prompt, cancellation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Takes another prompt of the same kind.</summary>
    /// <param name="prompt">What names the object.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void SetPrompt(ObjectPrompt prompt, CancellationToken cancellation)
    {
        _sparse.Write<float>(prompt.Sparse);
        _compiled.Graph.Prompt.SetSparse(_bindings, prompt.SparseRows);
        if (_dense is null) return;
        (MaskPromptGraph graph, ExecutionPlan plan) = _model.MaskPrompt(cancellation);
        using DeviceBuffer mask = _model.Backend.Allocate("mask prompt", DType.F32, graph.Mask.Shape);
        mask.Write<float>(prompt.MaskLogits!);
        plan.Run(new PlanBindings(graph.Graph).Bind(graph.Mask, mask).Bind(graph.Dense, _dense), cancellation);
    }

    /// <summary>Runs the prompt on a picture and fetches the result.</summary>
    /// <param name="frame">Encoded picture.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">The result is not finite.</exception>
    public void Run(FrameFeatures frame, CancellationToken cancellation)
    {
        frame.BindTo(_bindings, _compiled.Graph.Frame);
        _compiled.Plan.Run(_bindings, cancellation);
        if (!_prediction.Read()) throw FiniteCheck.Error(frame.IsFinite() ? "The mask decoder" : FrameFeatures.Stage);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sparse?.Dispose();
        _dense?.Dispose();
    }
}
