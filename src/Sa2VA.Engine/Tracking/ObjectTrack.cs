using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// One object through a stream (docs/model/tracking.md#video-loop): its bank of memories and pointers, and its mask on the latest frame.
/// Its first frames are conditioned on the prompt, later ones on what it remembers. Memory does not grow with the stream, and a warm step
/// allocates nothing. A step counts only once it is kept: until then the next one begins where it began.
/// </summary>
internal sealed class ObjectTrack : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly MaskPrediction _prediction;
    private readonly PromptedFrame _prompted;
    private readonly MemoryBank _bank;
    private readonly PlanBindings _memoryBindings, _trackedBindings;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly DeviceBuffer _memory, _memories, _memoryIndex, _timeIndex, _pointerIndex;
    private readonly int[] _slots, _times, _pointers;
    private Step _step;

    /// <summary>Begins a track; no frame is processed yet.</summary>
    /// <param name="model">Model.</param>
    /// <param name="prompt">What names the object.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack(SegmentationModel model, ObjectPrompt prompt, CancellationToken cancellation = default)
    {
        _model = model;
        _bank = new MemoryBank(model.ConditioningFrames);
        _prediction = new MaskPrediction(model);
        MemoryEncoderGraph memory = model.MemoryEncoder.Graph;
        TrackedFrameGraph tracked = model.TrackedFrame.Graph;
        try
        {
            _prompted = new PromptedFrame(model, prompt, _prediction, cancellation);
            _memory = Allocate("object memory", tracked.Memory);
            _memories = Allocate("object memories", tracked.Bank.Memories);
            DeviceBuffer pointers = Allocate("object pointers", tracked.Bank.Pointers);
            _memoryIndex = Allocate("memory index", tracked.Selection.MemoryIndex);
            _timeIndex = Allocate("time index", tracked.Selection.TimeIndex);
            _pointerIndex = Allocate("pointer index", tracked.Selection.PointerIndex);

            _memoryBindings = new PlanBindings(memory.Graph).Bind(memory.Low, _prediction.LowBuffer)
                .Bind(memory.Pointer, _prediction.PointerBuffer).Bind(memory.Memory, _memory);
            BindBank(_memoryBindings, memory.Bank, pointers);

            _trackedBindings = new PlanBindings(tracked.Graph).Bind(tracked.Memory, _memory);
            _prediction.BindTo(_trackedBindings, tracked.Outputs);
            BindBank(_trackedBindings, tracked.Bank, pointers);
            _trackedBindings.Bind(tracked.Selection.MemoryIndex, _memoryIndex).Bind(tracked.Selection.TimeIndex, _timeIndex)
                .Bind(tracked.Selection.PointerIndex, _pointerIndex);
        }
        catch
        {
            Dispose();
            throw;
        }
        _slots = new int[MemoryBank.MaxMemories(model.ConditioningFrames)];
        _times = new int[_slots.Length];
        _pointers = new int[MemoryBank.MaxPointers(model.ConditioningFrames)];
    }

    private enum Step { None, Conditioned, Tracked }

    /// <summary>Where the object is on the latest frame.</summary>
    public MaskPrediction Prediction => _prediction;

    /// <summary>Frames that the object remembers or remembered.</summary>
    public long Frames => _bank.Conditioned + _bank.Tracked;

    /// <summary>True while the next frame can be conditioned on the prompt.</summary>
    public bool AcceptsConditioning => _bank.AcceptsConditioning;

    /// <summary>Processes a frame with the prompt.</summary>
    /// <param name="frame">Encoded frame.</param>
    /// <param name="remember">False when no tracked frame will follow: the memory encoder is skipped.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">The result is not finite.</exception>
    public void Condition(FrameFeatures frame, bool remember, CancellationToken cancellation = default)
    {
        if (!AcceptsConditioning)
            throw new PromptException(
                $"An object takes its prompt on its first {_model.ConditioningFrames} frames; this one is past them.");
        _step = Step.None;
        _prompted.Run(frame, cancellation);
        if (!remember) return;
        MemoryEncoderGraph graph = _model.MemoryEncoder.Graph;
        _memoryBindings.Bind(graph.F, frame.F);
        SetSlots(_memoryBindings, graph.Bank, tracked: false);
        _model.MemoryEncoder.Plan.Run(_memoryBindings, cancellation);
        _step = Step.Conditioned;
    }

    /// <summary>Processes a frame from memory alone.</summary>
    /// <param name="frame">Encoded frame.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">
    /// The result is not finite; perhaps because of what an earlier frame left in the bank.
    /// </exception>
    public void Track(FrameFeatures frame, CancellationToken cancellation = default)
    {
        if (_bank.Conditioned == 0)
            throw new PromptException("An object must be conditioned on a frame and remember it before it can be tracked.");
        _step = Step.None;
        TrackedFrameGraph graph = _model.TrackedFrame.Graph;
        frame.BindTo(_trackedBindings, graph.Frame);
        _bank.Select(_slots, _times, _pointers);
        _memoryIndex.Write<int>(_slots);
        _timeIndex.Write<int>(_times);
        _pointerIndex.Write<int>(_pointers);
        graph.Selection.Set(_trackedBindings, _bank.Memories, _bank.Pointers);
        SetSlots(_trackedBindings, graph.Bank, tracked: true);
        _model.TrackedFrame.Plan.Run(_trackedBindings, cancellation);
        if (!_prediction.Read()) throw FiniteCheck.Error(CulpritOfTracked(frame));
        _step = Step.Tracked;
    }

    /// <summary>Makes the latest step part of what the object remembers. Cannot fail.</summary>
    public void Keep()
    {
        if (_step != Step.None) _bank.Advance(_step == Step.Tracked);
        _step = Step.None;
    }

    /// <summary>Copies the latest remembered frame's memory [G², Dm], before it was rounded for the bank.</summary>
    public void ReadMemory(Span<float> memory) => _memory.Read(memory);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
        _prompted?.Dispose();
        _prediction.Dispose();
    }

    private string CulpritOfTracked(FrameFeatures frame)
    {
        if (!frame.IsFinite()) return FrameFeatures.Stage;
        // What the frame itself has just written into the bank is in a slot that it does not read.
        int size = _memories.Shape.Last;
        foreach (int slot in _slots.AsSpan(0, _bank.Memories))
            if (!FiniteCheck.IsFinite(_memories, (long)slot * size, size)) return "The memory encoder, on an earlier frame,";
        return "Memory attention or the mask decoder";
    }

    private DeviceBuffer Allocate(string name, Tensor tensor)
    {
        DeviceBuffer buffer = _model.Backend.Allocate(name, tensor.Type, tensor.Shape);
        _buffers.Add(buffer);
        return buffer;
    }

    private void BindBank(PlanBindings bindings, MemoryBankTensors bank, DeviceBuffer pointers) =>
        bindings.Bind(bank.Memories, _memories).Bind(bank.Pointers, pointers);

    private void SetSlots(PlanBindings bindings, MemoryBankTensors bank, bool tracked) =>
        bindings.Set(bank.MemorySlot, _bank.NextMemorySlot(tracked)).Set(bank.PointerSlot, _bank.NextPointerSlot(tracked));
}
