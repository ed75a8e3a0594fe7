using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// One object through a stream (docs/model/tracking.md#video-loop): its bank of memories and pointers. Its first frames are conditioned on
/// the prompt, later ones on what it remembers. Memory does not grow with the stream. A step is only enqueued, and counts only once it is
/// kept: until then the next one begins where it began.
/// </summary>
internal sealed class ObjectTrack : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly PromptedFrame _prompted;
    private readonly MemoryBank _bank;
    private BoundPlan[] _remember = [];
    private MaskResults? _results;
    private int _row, _kept = -1;
    private Step _step;

    /// <summary>Begins a track; no frame is processed yet.</summary>
    /// <param name="model">Model.</param>
    /// <param name="prompt">What names the object.</param>
    /// <param name="conditioningFrames">Its first frames that carry the prompt, 1 to the model's capacity.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack(SegmentationModel model, ObjectPrompt prompt, int conditioningFrames, CancellationToken cancellation = default)
    {
        if (conditioningFrames < 1 || conditioningFrames > model.ConditioningFrames)
            throw new PromptException($"An object has 1 to {model.ConditioningFrames} conditioning frames, not {conditioningFrames}.");
        (_model, ConditioningFrames) = (model, conditioningFrames);
        _bank = new MemoryBank(conditioningFrames, model.Banks.MemorySlots, model.Banks.PointerSlots);
        _prompted = new PromptedFrame(model, prompt, cancellation);
    }

    private enum Step { None, Conditioned, Tracked }

    /// <summary>Its first frames that carry the prompt.</summary>
    public int ConditioningFrames { get; }

    /// <summary>Where the object is on the latest frame, once the results were read.</summary>
    public MaskPrediction Prediction => _results![_row];

    /// <summary>Frames that the object remembers or remembered.</summary>
    public long Frames => _bank.Conditioned + _bank.Tracked;

    /// <summary>True while the next frame is conditioned on the prompt.</summary>
    public bool IsConditioned => _bank.AcceptsConditioning;

    /// <summary>Says which features are looked at from now on, and in which row results go.</summary>
    public void Bind(IReadOnlyList<FrameFeatures> frames, MaskResults results, int row)
    {
        (_results, _row) = (results, row);
        _prompted.Bind(frames, results, row);
        foreach (BoundPlan plan in _remember) plan.Dispose();
        _remember = [];
        MemoryEncoderGraph encoder = _model.MemoryEncoder.Graph;
        _remember = [.. frames.Select(frame => _model.MemoryEncoder.Plan.Bind(_model.Queue, results.AddTo(
            _model.Banks.AddTo(new PlanBuffers(encoder.Graph), encoder.Bank).Add(encoder.F, frame.F), encoder, row)))];
    }

    /// <summary>Enqueues a frame with the prompt.</summary>
    /// <param name="frame">Which of the features.</param>
    /// <param name="remember">False when no tracked frame will follow: the memory encoder is skipped.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Condition(int frame, bool remember, CancellationToken cancellation = default)
    {
        _step = Step.None;
        if (!IsConditioned)
            throw new PromptException($"An object takes its prompt on its first {ConditioningFrames} frames; this one is past them.");
        _prompted.Run(frame, cancellation);
        if (!remember) return;
        MemoryBankTensors bank = _model.MemoryEncoder.Graph.Bank;
        _remember[frame].Set(bank.MemorySlots, [_bank.NextMemorySlot(tracked: false)])
            .Set(bank.PointerSlots, [_bank.NextPointerSlot(tracked: false)]);
        _model.Queue.Run(_remember[frame], cancellation);
        _step = Step.Conditioned;
    }

    /// <summary>Has the object step on a frame from memory alone, in the next run of its group.</summary>
    /// <param name="group">Its group.</param>
    /// <param name="row">Its row there.</param>
    public void Track(TrackedGroup group, int row)
    {
        _step = Step.None;
        if (_bank.Conditioned == 0)
            throw new PromptException("An object must be conditioned on a frame and remember it before it can be tracked.");
        group.Add(_bank, row);
        _step = Step.Tracked;
    }

    /// <summary>Makes the latest step part of what the object remembers. Cannot fail.</summary>
    public void Keep()
    {
        if (_step == Step.None) return;
        bool tracked = _step == Step.Tracked;
        _kept = _bank.NextMemorySlot(tracked);
        _bank.Advance(tracked);
        _step = Step.None;
    }

    /// <summary>The error for a result of the latest step that is not finite, which names the first stage that went wrong.</summary>
    /// <param name="frame">The frame's features.</param>
    public NonFiniteException NotFinite(FrameFeatures frame)
    {
        if (_step != Step.Tracked) return _prompted.NotFinite(frame);
        if (!frame.IsFinite()) return FiniteCheck.Error(FrameFeatures.Stage);
        // What the frame itself has just written into the bank is in a slot that it does not read.
        DeviceBuffer memories = _model.Banks.Memories;
        int size = memories.Shape.Last;
        var slots = new int[_bank.Memories];
        _bank.Select(slots, new int[slots.Length], new int[_bank.Pointers]);
        foreach (int slot in slots)
            if (!FiniteCheck.IsFinite(_model.Queue, memories, (long)slot * size, size))
                return FiniteCheck.Error("The memory encoder, on an earlier frame,");
        return FiniteCheck.Error("Memory attention or the mask decoder");
    }

    /// <summary>
    /// Copies the latest remembered frame's memory [G², Dm], before it was rounded for the bank; the model must keep it
    /// (<see cref="BankPools.Unrounded"/>).
    /// </summary>
    public void ReadMemory(Span<float> memory)
    {
        DeviceBuffer unrounded = _model.Banks.Unrounded ?? throw new InvalidOperationException("The model does not keep it.");
        _model.Queue.Read(unrounded, memory, (long)_kept * unrounded.Shape.Last);
    }

    /// <summary>Ends the track: what it remembers is gone, and its memory is there for other objects.</summary>
    public void Dispose()
    {
        foreach (BoundPlan plan in _remember) plan.Dispose();
        _remember = [];
        _prompted.Dispose();
        _bank.Dispose();
    }
}
