using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// One object through a stream (docs/model/tracking.md#video-loop). Its first frames are conditioned on what language says, or it begins
/// with a prompt on the newest frame; later frames are found by what it remembers, and any of them can be corrected while it is the newest
/// (docs/model/interactive.md). Memory does not grow with the stream. A step is only enqueued, and counts only once it is kept: until then
/// the next one begins where it began.
/// </summary>
internal sealed partial class ObjectTrack : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly ObjectMemory _memory;
    private readonly List<PointPrompt> _points = [];
    private BoundPlan[] _remember = [];
    private DeviceBuffer? _looking, _looked;
    private IReadOnlyList<MaskResults> _results = [];
    private PromptedFrame? _language;
    private int _frame, _conditioned, _conditioningFrames;
    private long _newest = -1;
    private bool _isTracked;
    private Step _step;

    /// <summary>Begins a track that language names; no frame is processed yet.</summary>
    /// <param name="model">Model.</param>
    /// <param name="prompt">What names the object.</param>
    /// <param name="conditioningFrames">Its first frames that carry the prompt, 1 to the model's capacity.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack(SegmentationModel model, ObjectPrompt prompt, int conditioningFrames, CancellationToken cancellation = default)
    {
        if (conditioningFrames < 1 || conditioningFrames > model.ConditioningFrames)
            throw new PromptException($"An object has 1 to {model.ConditioningFrames} conditioning frames, not {conditioningFrames}.");
        (_model, _memory, _conditioningFrames) = (model, new ObjectMemory(model), conditioningFrames);
        _language = new PromptedFrame(model, prompt, memory: null, cancellation);
    }

    /// <summary>Begins a track that a prompt on the newest frame will name.</summary>
    /// <param name="model">Model.</param>
    public ObjectTrack(SegmentationModel model) => (_model, _memory) = (model, new ObjectMemory(model));

    private enum Step { None, Conditioned, Tracked }

    /// <summary>Where the object is on the latest frame, once the results were read.</summary>
    public MaskPrediction Prediction => _results[_frame][Row];

    /// <summary>Its row of results.</summary>
    public int Row { get; private set; }

    /// <summary>True while the next frame is conditioned on what language says.</summary>
    public bool IsConditioned => _conditioned < _conditioningFrames;

    /// <summary>Points on the newest frame, in pixels of the encoder's input, in the order in which they were given.</summary>
    public IReadOnlyList<PointPrompt> Points => _points;

    /// <summary>True if there is a mask of the object on the newest frame.</summary>
    public bool HasMask { get; private set; }

    /// <summary>
    /// Has language name the object again, from the next frame on; what it remembers stays. <see cref="Bind"/> must follow.
    /// </summary>
    /// <param name="language">Names it; owned from now on.</param>
    /// <param name="conditioningFrames">Its next frames that carry the prompt.</param>
    public void NameAgain(PromptedFrame language, int conditioningFrames)
    {
        _language?.Dispose();
        (_language, _conditioningFrames, _conditioned) = (language, conditioningFrames, 0);
    }

    /// <summary>Says which features are looked at from now on, and where each frame's results go.</summary>
    public void Bind(IReadOnlyList<FrameFeatures> frames, IReadOnlyList<MaskResults> results, int row)
    {
        if (_language is null) return;
        _language.Bind(frames, results, row);
        Unbind();
        (MemoryEncoderGraph encoder, ExecutionPlan plan) = _model.MemoryEncoder(binary: false);
        _remember = [.. frames.Select((frame, i) => plan.Bind(_model.Queue, results[i].AddTo(
            _model.Banks.AddTo(new PlanBuffers(encoder.Graph), encoder.Bank).Add(encoder.F, frame.F), encoder, row)))];
    }

    /// <summary>Has the object's row be where it was bound to.</summary>
    public void Move(IReadOnlyList<MaskResults> results, int row) => (_results, Row) = (results, row);

    /// <summary>Enqueues a frame with what language says.</summary>
    /// <param name="frame">Which of the features.</param>
    /// <param name="remember">False when no tracked frame will follow: the memory encoder is skipped.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Condition(int frame, bool remember, CancellationToken cancellation = default)
    {
        (_frame, _step) = (frame, Step.None);
        if (!IsConditioned)
            throw new PromptException($"An object takes its prompt on its first {_conditioningFrames} frames; this one is past them.");
        _language!.Run(frame, cancellation);
        if (!remember) return;
        MemoryBankTensors bank = _model.MemoryEncoder(binary: false).Graph.Bank;
        (int memory, int pointer) = _memory.Bank.Next();
        _remember[frame].Set(bank.MemorySlots, [memory]).Set(bank.PointerSlots, [pointer]);
        _model.Queue.Run(_remember[frame], cancellation);
        _step = Step.Conditioned;
    }

    /// <summary>Has the object step on a frame from memory alone, in the next run of its group.</summary>
    /// <param name="frame">Which of the features.</param>
    /// <param name="number">The frame's number.</param>
    /// <param name="group">Its group.</param>
    /// <param name="row">Its row there.</param>
    public void Track(int frame, long number, TrackedGroup group, int row)
    {
        (_frame, _step) = (frame, Step.None);
        if (_memory.Bank.IsEmpty)
            throw new PromptException("An object must be conditioned on a frame and remember it before it can be tracked.");
        group.Add(_memory.Bank, number, row);
        _step = Step.Tracked;
    }

    /// <summary>Makes the latest step part of what the object remembers. Cannot fail.</summary>
    /// <param name="number">The frame's number, which is the newest from now on.</param>
    public void Keep(long number)
    {
        MemoryBank bank = _memory.Bank;
        bank.Settle();
        if (_step == Step.Tracked) bank.KeepTracked(number);
        if (_step == Step.Conditioned) bank.KeepPrompted(number);
        bank.Forget(number);
        if (_step == Step.Conditioned) _conditioned++;
        (_newest, _isTracked, _step, HasMask) = (number, _step == Step.Tracked, Step.None, true);
        _looking = _looked = null;
        _points.Clear();
    }

    /// <summary>
    /// Enqueues looking anew for the object on the newest frame, with all points that are given and the mask that is there.
    /// </summary>
    /// <param name="newest">The newest frame.</param>
    /// <param name="points">All points on the frame, those of earlier prompts included.</param>
    /// <param name="scratch">Receives the result in its first row; the object's own stays as it is until <see cref="KeepPrompt"/>.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Prompt(FrameSet newest, ReadOnlySpan<PointPrompt> points, MaskResults scratch, CancellationToken cancellation)
    {
        float[] low = HasMask ? newest.Results!.ReadLow(_model.Queue, Row) : [];
        var prompt = new ObjectPrompt(_model, [], points, low);
        FrameFeatures frame = newest.Features;
        // A frame that was tracked looks at the object's past, as it did then; and does so once, unless it fails.
        _looking = _isTracked ? _looked ?? _memory.Look(frame, _newest, reverse: false, cancellation) : null;
        PromptedFrame.Find(_model, frame, _looking, prompt, scratch, cancellation);
        _memory.Remember(frame, scratch, binary: true, cancellation);
    }

    /// <summary>Enqueues taking a mask for the truth on the newest frame.</summary>
    /// <param name="frame">The newest frame's features.</param>
    /// <param name="mask">The mask.</param>
    /// <param name="scratch">Receives the result in its first row; the object's own stays as it is until <see cref="KeepPrompt"/>.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Prompt(FrameFeatures frame, GivenMask mask, MaskResults scratch, CancellationToken cancellation)
    {
        _looking = null;
        mask.Take(_model, frame, scratch, cancellation);
        _memory.Remember(frame, scratch, binary: true, cancellation);
    }

    /// <summary>
    /// Makes the latest prompt, whose result is in the object's row, its state on the newest frame, and part of what it remembers from the
    /// next one on. What language said is not repeated on later frames: it would go on voting for what was corrected.
    /// </summary>
    /// <param name="number">The newest frame's number.</param>
    /// <param name="points">All points on the frame; none behind a mask.</param>
    public void KeepPrompt(long number, ReadOnlySpan<PointPrompt> points)
    {
        _memory.Bank.KeepPrompted(number);
        (_conditioned, HasMask) = (_conditioningFrames, true);
        _looked = _looking ?? _looked;
        _points.Clear();
        _points.AddRange(points);
    }

    /// <summary>The error for a result of the latest step that is not finite, which names the first stage that went wrong.</summary>
    /// <param name="frame">The frame's features.</param>
    /// <param name="number">The frame's number.</param>
    public NonFiniteException NotFinite(FrameFeatures frame, long number)
    {
        if (!frame.IsFinite()) return FiniteCheck.Error(FrameFeatures.Stage);
        if (_step != Step.Tracked) return FiniteCheck.Error("The mask decoder");
        // What the frame itself has just written into the bank is in a slot that it does not read.
        DeviceBuffer memories = _model.Banks.Memories;
        int size = memories.Shape.Last;
        var slots = new int[MemoryBank.MaxMemories(_model.ConditioningFrames)];
        int count = _memory.Bank.Select(number, reverse: false, settled: true, slots, new int[slots.Length],
            new int[MemoryBank.MaxPointers(_model.ConditioningFrames)]).Memories;
        foreach (int slot in slots.AsSpan(0, count))
            if (!FiniteCheck.IsFinite(_model.Queue, memories, (long)slot * size, size))
                return FiniteCheck.Error("The memory encoder, on an earlier frame,");
        return FiniteCheck.Error("Memory attention or the mask decoder");
    }

    /// <summary>Copies the newest frame's memory [G², Dm], before it was rounded for the bank; the model must keep it.</summary>
    public void ReadMemory(Span<float> memory) => _memory.Read(_newest, memory);

    /// <summary>Ends the track: what it remembers is gone, and its memory is there for other objects.</summary>
    public void Dispose()
    {
        Unbind();
        _language?.Dispose();
        _memory.Dispose();
    }

    private void Unbind()
    {
        foreach (BoundPlan plan in _remember) plan.Dispose();
        _remember = [];
    }
}
