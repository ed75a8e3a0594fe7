using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// One object through a stream (docs/model/tracking.md#video-loop): its bank of memories and pointers. Its first frames are conditioned on
/// the prompt, later ones on what it remembers. Memory does not grow with the stream, and a warm step allocates nothing. A step is only
/// enqueued, and counts only once it is kept: until then the next one begins where it began.
/// </summary>
internal sealed class ObjectTrack : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly DeviceQueue _queue;
    private readonly PromptedFrame _prompted;
    private readonly MemoryBank _bank;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly DeviceBuffer _memory, _memories, _pointers, _memoryIndex, _timeIndex, _pointerIndex;
    private readonly int[] _slots, _times, _pointerSlots;
    private FrameFeatures? _frame;
    private MaskResults? _results;
    private int _row;
    private BoundPlan? _remember, _track;
    private Step _step;

    /// <summary>Begins a track; no frame is processed yet.</summary>
    /// <param name="model">Model.</param>
    /// <param name="prompt">What names the object.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack(SegmentationModel model, ObjectPrompt prompt, CancellationToken cancellation = default)
    {
        (_model, _queue) = (model, model.Queue);
        _bank = new MemoryBank(model.ConditioningFrames);
        TrackedFrameGraph tracked = model.TrackedFrame.Graph;
        try
        {
            _prompted = new PromptedFrame(model, prompt, cancellation);
            _memory = Allocate("object memory", tracked.Memory);
            _memories = Allocate("object memories", tracked.Bank.Memories);
            _pointers = Allocate("object pointers", tracked.Bank.Pointers);
            _memoryIndex = Allocate("memory index", tracked.Selection.MemoryIndex);
            _timeIndex = Allocate("time index", tracked.Selection.TimeIndex);
            _pointerIndex = Allocate("pointer index", tracked.Selection.PointerIndex);
        }
        catch
        {
            Dispose();
            throw;
        }
        _slots = new int[MemoryBank.MaxMemories(model.ConditioningFrames)];
        _times = new int[_slots.Length];
        _pointerSlots = new int[MemoryBank.MaxPointers(model.ConditioningFrames)];
    }

    private enum Step { None, Conditioned, Tracked }

    /// <summary>Where the object is on the latest frame, once the results were read.</summary>
    public MaskPrediction Prediction => _results![_row];

    /// <summary>Frames that the object remembers or remembered.</summary>
    public long Frames => _bank.Conditioned + _bank.Tracked;

    /// <summary>True while the next frame can be conditioned on the prompt.</summary>
    public bool AcceptsConditioning => _bank.AcceptsConditioning;

    /// <summary>Says which features are looked at from now on, and in which row results go.</summary>
    public void Bind(FrameFeatures frame, MaskResults results, int row)
    {
        (_frame, _results, _row) = (frame, results, row);
        _prompted.Bind(frame, results, row);

        MemoryEncoderGraph encoder = _model.MemoryEncoder.Graph;
        PlanBuffers buffers = Bank(new PlanBuffers(encoder.Graph), encoder.Bank).Add(encoder.F, frame.F).Add(encoder.Memory, _memory);
        _remember?.Dispose();
        _remember = _model.MemoryEncoder.Plan.Bind(_queue, results.AddTo(buffers, encoder, row));

        TrackedFrameGraph tracked = _model.TrackedFrame.Graph;
        buffers = Bank(new PlanBuffers(tracked.Graph), tracked.Bank).Add(tracked.Memory, _memory)
            .Add(tracked.Selection.MemoryIndex, _memoryIndex).Add(tracked.Selection.TimeIndex, _timeIndex)
            .Add(tracked.Selection.PointerIndex, _pointerIndex);
        frame.AddTo(buffers, tracked.Frame);
        _track?.Dispose();
        _track = _model.TrackedFrame.Plan.Bind(_queue, results.AddTo(buffers, tracked.Outputs, row));
    }

    /// <summary>Enqueues a frame with the prompt.</summary>
    /// <param name="remember">False when no tracked frame will follow: the memory encoder is skipped.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Condition(bool remember, CancellationToken cancellation = default)
    {
        if (!AcceptsConditioning)
            throw new PromptException(
                $"An object takes its prompt on its first {_model.ConditioningFrames} frames; this one is past them.");
        _step = Step.None;
        _prompted.Run(cancellation);
        if (!remember) return;
        SetSlots(_remember!, _model.MemoryEncoder.Graph.Bank, tracked: false);
        _queue.Run(_remember!, cancellation);
        _step = Step.Conditioned;
    }

    /// <summary>Enqueues a frame from memory alone.</summary>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Track(CancellationToken cancellation = default)
    {
        if (_bank.Conditioned == 0)
            throw new PromptException("An object must be conditioned on a frame and remember it before it can be tracked.");
        _step = Step.None;
        TrackedFrameGraph graph = _model.TrackedFrame.Graph;
        _bank.Select(_slots, _times, _pointerSlots);
        _queue.Write<int>(_memoryIndex, _slots);
        _queue.Write<int>(_timeIndex, _times);
        _queue.Write<int>(_pointerIndex, _pointerSlots);
        graph.Selection.Set(_track!, _bank.Memories, _bank.Pointers);
        SetSlots(_track!, graph.Bank, tracked: true);
        _queue.Run(_track!, cancellation);
        _step = Step.Tracked;
    }

    /// <summary>Makes the latest step part of what the object remembers. Cannot fail.</summary>
    public void Keep()
    {
        if (_step != Step.None) _bank.Advance(_step == Step.Tracked);
        _step = Step.None;
    }

    /// <summary>The error for a result of the latest step that is not finite, which names the first stage that went wrong.</summary>
    public NonFiniteException NotFinite()
    {
        if (_step != Step.Tracked) return _prompted.NotFinite(_frame!);
        if (!_frame!.IsFinite()) return FiniteCheck.Error(FrameFeatures.Stage);
        // What the frame itself has just written into the bank is in a slot that it does not read.
        int size = _memories.Shape.Last;
        foreach (int slot in _slots.AsSpan(0, _bank.Memories))
        {
            if (!FiniteCheck.IsFinite(_queue, _memories, (long)slot * size, size))
                return FiniteCheck.Error("The memory encoder, on an earlier frame,");
        }
        return FiniteCheck.Error("Memory attention or the mask decoder");
    }

    /// <summary>Copies the latest remembered frame's memory [G², Dm], before it was rounded for the bank.</summary>
    public void ReadMemory(Span<float> memory) => _queue.Read(_memory, memory);

    /// <inheritdoc/>
    public void Dispose()
    {
        _remember?.Dispose();
        _track?.Dispose();
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
        _prompted?.Dispose();
    }

    private DeviceBuffer Allocate(string name, Tensor tensor)
    {
        DeviceBuffer buffer = _model.Backend.Allocate(name, tensor.Type, tensor.Shape);
        _buffers.Add(buffer);
        return buffer;
    }

    private PlanBuffers Bank(PlanBuffers buffers, MemoryBankTensors bank) =>
        buffers.Add(bank.Memories, _memories).Add(bank.Pointers, _pointers);

    private void SetSlots(BoundPlan plan, MemoryBankTensors bank, bool tracked) =>
        plan.Set(bank.MemorySlot, _bank.NextMemorySlot(tracked)).Set(bank.PointerSlot, _bank.NextPointerSlot(tracked));
}
