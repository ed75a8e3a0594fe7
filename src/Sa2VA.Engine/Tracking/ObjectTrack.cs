using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// One object through a stream (docs/model/tracking.md#video-loop): its bank of memories and pointers, and its mask on the latest frame.
/// Its first frames are conditioned on the prompt, later ones on what it remembers. Memory does not grow with the stream, and a warm step
/// allocates nothing.
/// </summary>
internal sealed class ObjectTrack : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly Compiled<PromptedFrameGraph> _prompted;
    private readonly ObjectPrompt _prompt;
    private readonly MemoryBank _bank;
    private readonly PlanBindings _promptedBindings, _memoryBindings, _trackedBindings;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly DeviceBuffer _low, _ious, _selected, _objectLogit, _pointer, _memory, _memories, _memoryIndex, _timeIndex, _pointerIndex;
    private readonly float[] _lowValues, _iouValues = new float[4];
    private readonly int[] _slots, _times, _pointers;

    /// <summary>Begins a track; no frame is processed yet.</summary>
    /// <param name="model">Model.</param>
    /// <param name="prompt">What names the object.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack(SegmentationModel model, ObjectPrompt prompt, CancellationToken cancellation = default)
    {
        (_model, _prompt) = (model, prompt);
        _prompted = model.PromptedFrame(prompt.Multimask, dense: prompt.MaskLogits is not null, cancellation);
        _bank = new MemoryBank(model.ConditioningFrames);
        PromptedFrameGraph prompted = _prompted.Graph;
        MemoryEncoderGraph memory = model.MemoryEncoder.Graph;
        TrackedFrameGraph tracked = model.TrackedFrame.Graph;
        try
        {
            _low = Allocate("mask logits", tracked.Outputs.Low);
            _ious = Allocate("IoUs", tracked.Outputs.Ious);
            _selected = Allocate("selected mask", tracked.Outputs.Selected);
            _objectLogit = Allocate("object logit", tracked.Outputs.ObjectLogit);
            _pointer = Allocate("object pointer", tracked.Outputs.Pointer);
            _memory = Allocate("object memory", tracked.Memory);
            _memories = Allocate("object memories", tracked.Bank.Memories);
            DeviceBuffer pointers = Allocate("object pointers", tracked.Bank.Pointers);
            _memoryIndex = Allocate("memory index", tracked.Selection.MemoryIndex);
            _timeIndex = Allocate("time index", tracked.Selection.TimeIndex);
            _pointerIndex = Allocate("pointer index", tracked.Selection.PointerIndex);

            _promptedBindings = new PlanBindings(prompted.Graph);
            BindOutputs(_promptedBindings, prompted.Outputs);
            DeviceBuffer sparse = Allocate("sparse prompt", prompted.Sparse);
            sparse.Write<float>(prompt.Sparse);
            _promptedBindings.Bind(prompted.Sparse, sparse);
            prompted.SetSparse(_promptedBindings, prompt.SparseRows);
            if (prompted.Dense is not null) _promptedBindings.Bind(prompted.Dense, EncodeMask(prompt.MaskLogits!, cancellation));

            _memoryBindings = new PlanBindings(memory.Graph).Bind(memory.Low, _low).Bind(memory.Pointer, _pointer).Bind(memory.Memory, _memory);
            BindBank(_memoryBindings, memory.Bank, pointers);

            _trackedBindings = new PlanBindings(tracked.Graph).Bind(tracked.Memory, _memory);
            BindOutputs(_trackedBindings, tracked.Outputs);
            BindBank(_trackedBindings, tracked.Bank, pointers);
            _trackedBindings.Bind(tracked.Selection.MemoryIndex, _memoryIndex).Bind(tracked.Selection.TimeIndex, _timeIndex)
                .Bind(tracked.Selection.PointerIndex, _pointerIndex);
        }
        catch
        {
            Dispose();
            throw;
        }
        _lowValues = new float[tracked.Outputs.Low.Shape.Count];
        _slots = new int[MemoryBank.MemorySlots(model.ConditioningFrames)];
        _times = new int[_slots.Length];
        _pointers = new int[MemoryBank.PointerSlots(model.ConditioningFrames)];
    }

    /// <summary>Mask logits [4G, 4G] on the latest frame; overwritten by the next step.</summary>
    public ReadOnlySpan<float> Low => _lowValues;

    /// <summary>Predicted IoU of the four candidates on the latest frame, 0…1.</summary>
    public ReadOnlySpan<float> Ious => _iouValues;

    /// <summary>Which candidate was chosen on the latest frame, 0…3.</summary>
    public int Selected { get; private set; }

    /// <summary>Predicted IoU of the chosen mask on the latest frame, 0…1.</summary>
    public float Score => _iouValues[Selected];

    /// <summary>Above 0 when the object is in the latest frame.</summary>
    public float ObjectLogit { get; private set; }

    /// <summary>Probability that the object is in the latest frame, 0…1.</summary>
    public float Present => 1 / (1 + MathF.Exp(-ObjectLogit));

    /// <summary>Frames processed.</summary>
    public long Frames => _bank.Conditioned + _bank.Tracked;

    /// <summary>True while the next frame can be conditioned on the prompt.</summary>
    public bool AcceptsConditioning => _bank.AcceptsConditioning;

    /// <summary>Processes a frame with the prompt.</summary>
    /// <param name="frame">Encoded frame.</param>
    /// <param name="remember">False when no tracked frame will follow: the memory encoder is skipped.</param>
    /// <param name="cancellation">Stops between two ops; the track is then of no further use.</param>
    public void Condition(FrameFeatures frame, bool remember, CancellationToken cancellation = default)
    {
        if (!AcceptsConditioning)
            throw new PromptException($"An object takes its prompt on its first {_model.ConditioningFrames} frames; this one is past them.");
        frame.BindTo(_promptedBindings, _prompted.Graph.Frame);
        _prompted.Plan.Run(_promptedBindings, cancellation);
        if (remember)
        {
            MemoryEncoderGraph graph = _model.MemoryEncoder.Graph;
            _memoryBindings.Bind(graph.F, frame.F);
            SetSlots(_memoryBindings, graph.Bank, tracked: false);
            _model.MemoryEncoder.Plan.Run(_memoryBindings, cancellation);
            _bank.Advance(tracked: false);
        }
        ReadResults();
    }

    /// <summary>Processes a frame from memory alone.</summary>
    /// <param name="frame">Encoded frame.</param>
    /// <param name="cancellation">Stops between two ops; the track is then of no further use.</param>
    public void Track(FrameFeatures frame, CancellationToken cancellation = default)
    {
        if (_bank.Conditioned == 0) throw new PromptException("An object must be conditioned on a frame and remember it before it can be tracked.");
        TrackedFrameGraph graph = _model.TrackedFrame.Graph;
        frame.BindTo(_trackedBindings, graph.Frame);
        _bank.Select(_slots, _times, _pointers);
        _memoryIndex.Write<int>(_slots);
        _timeIndex.Write<int>(_times);
        _pointerIndex.Write<int>(_pointers);
        graph.Selection.Set(_trackedBindings, _bank.Memories, _bank.Pointers);
        SetSlots(_trackedBindings, graph.Bank, tracked: true);
        _model.TrackedFrame.Plan.Run(_trackedBindings, cancellation);
        _bank.Advance(tracked: true);
        ReadResults();
    }

    /// <summary>Copies the latest frame's pointer [D].</summary>
    public void ReadPointer(Span<float> pointer) => _pointer.Read(pointer);

    /// <summary>Copies the latest remembered frame's memory [G², Dm], before it was rounded for the bank.</summary>
    public void ReadMemory(Span<float> memory) => _memory.Read(memory);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }

    private DeviceBuffer Allocate(string name, Tensor tensor)
    {
        DeviceBuffer buffer = _model.Backend.Allocate(name, tensor.Type, tensor.Shape);
        _buffers.Add(buffer);
        return buffer;
    }

    private DeviceBuffer EncodeMask(float[] logits, CancellationToken cancellation)
    {
        (MaskPromptGraph graph, ExecutionPlan plan) = _model.MaskPrompt(cancellation);
        DeviceBuffer dense = Allocate("dense prompt", graph.Dense);
        using DeviceBuffer mask = _model.Backend.Allocate("mask prompt", DType.F32, graph.Mask.Shape);
        mask.Write<float>(logits);
        plan.Run(new PlanBindings(graph.Graph).Bind(graph.Mask, mask).Bind(graph.Dense, dense), cancellation);
        return dense;
    }

    private void BindOutputs(PlanBindings bindings, MaskOutputs outputs) => bindings.Bind(outputs.Low, _low).Bind(outputs.Ious, _ious)
        .Bind(outputs.Selected, _selected).Bind(outputs.ObjectLogit, _objectLogit).Bind(outputs.Pointer, _pointer);

    private void BindBank(PlanBindings bindings, MemoryBankTensors bank, DeviceBuffer pointers) =>
        bindings.Bind(bank.Memories, _memories).Bind(bank.Pointers, pointers);

    private void SetSlots(PlanBindings bindings, MemoryBankTensors bank, bool tracked) =>
        bindings.Set(bank.MemorySlot, _bank.NextMemorySlot(tracked)).Set(bank.PointerSlot, _bank.NextPointerSlot(tracked));

    private void ReadResults()
    {
        _low.Read<float>(_lowValues);
        _ious.Read<float>(_iouValues);
        Span<int> selected = stackalloc int[1];
        _selected.Read(selected);
        Selected = selected[0];
        Span<float> logit = stackalloc float[1];
        _objectLogit.Read(logit);
        ObjectLogit = logit[0];
    }
}
