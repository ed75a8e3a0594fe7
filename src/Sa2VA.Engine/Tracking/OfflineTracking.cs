using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Prompts, corrections and tracking in a recorded video (docs/model/interactive.md): any frame may be prompted at any time, and objects
/// are tracked over whichever frames are asked for, forwards or backwards. Every frame's result is kept.
/// </summary>
internal sealed class OfflineTracking : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly Func<int, byte[]> _levels;
    private readonly bool _binary;
    private readonly CancellationToken _cancellation;
    private readonly FrameFeatures _features;
    private readonly MaskResults _results;
    private readonly TrackedGroup _group;
    private readonly List<Tracked> _objects = [];
    private int _encoded = -1;

    /// <param name="model">Model.</param>
    /// <param name="levels">Gives a frame's levels [S, S, 3].</param>
    /// <param name="binary">True to remember masks of clicks, boxes and masks as they were shown; false as soft as they are.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public OfflineTracking(SegmentationModel model, Func<int, byte[]> levels, bool binary, CancellationToken cancellation)
    {
        (_model, _levels, _binary, _cancellation) = (model, levels, binary, cancellation);
        _features = new FrameFeatures(model);
        try
        {
            _results = new MaskResults(model, 1);
            _group = new TrackedGroup(model, model.TrackedFrame(1, cancellation), [_features], [_results], 0);
        }
        catch
        {
            _results?.Dispose();
            _features.Dispose();
            throw;
        }
    }

    /// <summary>Told of each result as it is found.</summary>
    public event Action<OfflineResult>? Found;

    /// <summary>Told of each memory as it begins to count.</summary>
    public event Action<OfflineMemory>? Remembered;

    /// <summary>Told of frames that are passed over because they were prompted.</summary>
    public event Action<int, int>? Kept;

    /// <summary>The latest result.</summary>
    public MaskPrediction Prediction => _results[0];

    /// <summary>Prompts an object by points; an object that is not known begins here.</summary>
    /// <param name="frame">Frame.</param>
    /// <param name="id">Object.</param>
    /// <param name="points">In pixels of the encoder's input, a box's corners first.</param>
    /// <param name="clear">False to add to the points that the frame has.</param>
    public void Point(int frame, int id, ReadOnlySpan<PointPrompt> points, bool clear)
    {
        Tracked o = Object(id);
        if (clear || !o.Points.TryGetValue(frame, out List<PointPrompt>? all)) o.Points[frame] = all = [];
        all.AddRange(points);
        var prompt = new ObjectPrompt(_model, [], all.ToArray(), o.Low.GetValueOrDefault(frame, []));
        Prompt(o, frame, prompt, _binary);
    }

    /// <summary>Prompts an object by what language says of it.</summary>
    /// <param name="frame">Frame.</param>
    /// <param name="id">Object.</param>
    /// <param name="seg">[SEG] vector [D].</param>
    public void Language(int frame, int id, ReadOnlySpan<float> seg)
    {
        Tracked o = Object(id);
        o.Points.Remove(frame);
        Prompt(o, frame, new ObjectPrompt(_model, seg), binary: false);
    }

    /// <summary>Says what an object's mask is.</summary>
    /// <param name="frame">Frame.</param>
    /// <param name="id">Object.</param>
    /// <param name="mask">Of the video's size.</param>
    public void Give(int frame, int id, Mask mask)
    {
        Tracked o = Object(id);
        o.Points.Remove(frame);
        Encode(frame);
        GivenMask.Of(_model, mask, _cancellation).Take(_model, _features, _results, _cancellation);
        Finish(o, frame, OfflineKind.Mask, _binary);
    }

    /// <summary>Tracks all objects from one frame to another, both included; frames that were prompted stay as they are.</summary>
    /// <param name="start">First frame.</param>
    /// <param name="end">Last frame.</param>
    /// <param name="reverse">True for backwards: then <paramref name="end"/> is before <paramref name="start"/>.</param>
    public void Propagate(int start, int end, bool reverse)
    {
        foreach (Tracked o in _objects) Settle(o);
        for (int t = start; reverse ? t >= end : t <= end; t += reverse ? -1 : 1)
            foreach (Tracked o in _objects)
            {
                if (o.Memory.Bank.IsConditioning(t)) Kept?.Invoke(o.Id, t);
                else Track(o, t, reverse);
                o.Passed[t] = reverse;
            }
    }

    /// <summary>Has an object leave; nothing changes for the others.</summary>
    public void Remove(int id)
    {
        int index = _objects.FindIndex(o => o.Id == id);
        if (index < 0) throw new PromptException($"There is no object {id}.");
        _objects[index].Memory.Dispose();
        _objects.RemoveAt(index);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tracked o in _objects) o.Memory.Dispose();
        _group.Dispose();
        _results.Dispose();
        _features.Dispose();
    }

    private Tracked Object(int id)
    {
        if (_objects.Find(o => o.Id == id) is { } known) return known;
        var tracked = new Tracked(id, new ObjectMemory(_model));
        _objects.Add(tracked);
        return tracked;
    }

    private void Prompt(Tracked o, int frame, ObjectPrompt prompt, bool binary)
    {
        Encode(frame);
        // A frame that was tracked looks at the object's past, in the direction in which that was.
        DeviceBuffer? looked = o.Passed.TryGetValue(frame, out bool reverse)
            ? o.Memory.Look(_features, frame, reverse, _cancellation)
            : null;
        PromptedFrame.Find(_model, _features, looked, prompt, _results, _cancellation);
        Finish(o, frame, looked is null ? OfflineKind.Prompt : OfflineKind.Correction, binary, prompt.Multimask);
    }

    private void Track(Tracked o, int frame, bool reverse)
    {
        Encode(frame);
        _group.Clear();
        _group.Add(o.Memory.Bank, frame, 0, reverse);
        _group.Run(0, _cancellation);
        _results.BeginRead(_model.Queue).Wait();
        o.Low[frame] = Prediction.Low.ToArray();
        Found?.Invoke(new OfflineResult(OfflineKind.Track, o.Id, frame, Multimask: true, o.Memory.Bank));
        o.Memory.Bank.KeepTracked(frame);
        Remembered?.Invoke(new OfflineMemory(o.Id, frame, Binary: false, o.Memory));
    }

    private void Finish(Tracked o, int frame, OfflineKind kind, bool binary, bool multimask = false)
    {
        o.Memory.Remember(_features, _results, binary, _cancellation);
        _results.BeginRead(_model.Queue).Wait();
        o.Low[frame] = Prediction.Low.ToArray();
        o.Memory.Bank.KeepPrompted(frame);
        o.Binary[frame] = binary;
        Found?.Invoke(new OfflineResult(kind, o.Id, frame, multimask, o.Memory.Bank));
    }

    private void Settle(Tracked o)
    {
        foreach (long frame in o.Memory.Bank.Prompted)
            Remembered?.Invoke(new OfflineMemory(o.Id, (int)frame, o.Binary[(int)frame], o.Memory));
        o.Memory.Bank.Settle();
    }

    private void Encode(int frame)
    {
        if (frame == _encoded) return;
        // What was enqueued may still read the features of the frame before.
        _model.Queue.Mark().Wait();
        _features.Encode(_levels(frame), _cancellation);
        _encoded = frame;
    }

    /// <summary>
    /// An object, and what is known of each frame: its mask, the points on it, the direction in which it was passed last.
    /// </summary>
    private sealed record Tracked(int Id, ObjectMemory Memory)
    {
        public Dictionary<int, float[]> Low { get; } = [];

        public Dictionary<int, List<PointPrompt>> Points { get; } = [];

        public Dictionary<int, bool> Passed { get; } = [];

        public Dictionary<int, bool> Binary { get; } = [];
    }
}

/// <summary>How a result came about.</summary>
internal enum OfflineKind
{
    /// <summary>By a prompt, without memory.</summary>
    Prompt,
    /// <summary>By a prompt on a frame that was tracked, with memory.</summary>
    Correction,
    /// <summary>Given as the truth.</summary>
    Mask,
    /// <summary>From memory alone.</summary>
    Track,
}

/// <summary>A result of <see cref="OfflineTracking"/>.</summary>
/// <param name="Kind">How it came about.</param>
/// <param name="Object">Object.</param>
/// <param name="Frame">Frame.</param>
/// <param name="Multimask">True if it was chosen among three candidates.</param>
/// <param name="Bank">What it attended to, where it did, is this bank's latest choice.</param>
internal readonly record struct OfflineResult(OfflineKind Kind, int Object, int Frame, bool Multimask, MemoryBank Bank);

/// <summary>A memory of <see cref="OfflineTracking"/>.</summary>
/// <param name="Object">Object.</param>
/// <param name="Frame">Frame.</param>
/// <param name="Binary">True if the mask was remembered as it was shown.</param>
/// <param name="Memory">Holds it.</param>
internal readonly record struct OfflineMemory(int Object, int Frame, bool Binary, ObjectMemory Memory);
