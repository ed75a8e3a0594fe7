using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Prompts, corrections and tracking in a recorded video (docs/model/interactive.md): any frame may be prompted at any time, and objects
/// are tracked over whichever frames are asked for, forwards or backwards. Each frame is encoded once for all objects.
/// </summary>
internal sealed class OfflineTracking : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly Func<int, RgbImage> _frames;
    private readonly bool _binary;
    private readonly CancellationToken _cancellation;
    private readonly FrameProgress? _progress;
    private readonly FrameFeatures _features;
    private readonly FrameInput _input;
    private readonly MaskResampler _resampler;
    private readonly TrackedGroup _group;
    private readonly List<Tracked> _objects = [];
    private int _encoded = -1;
    private (int Width, int Height) _size;

    /// <param name="model">Model.</param>
    /// <param name="frames">Gives a frame, of any size.</param>
    /// <param name="binary">True to remember masks of clicks, boxes and masks as they were shown; false as soft as they are.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <param name="progress">Told how far a frame is; null for nobody.</param>
    public OfflineTracking(SegmentationModel model, Func<int, RgbImage> frames, bool binary, CancellationToken cancellation,
        FrameProgress? progress = null)
    {
        _progress = progress;
        (_model, _frames, _binary, _cancellation) = (model, frames, binary, cancellation);
        _resampler = new MaskResampler(model.LowSide, model.Config.ImageSize);
        _features = new FrameFeatures(model, progress);
        _input = new FrameInput(model, _features.Image);
        try
        {
            Results = new MaskResults(model, 1);
            _group = new TrackedGroup(model, model.TrackedFrame(1, cancellation), [_features], [Results], 0, [progress]);
        }
        catch
        {
            Results?.Dispose();
            _features.Dispose();
            throw;
        }
    }

    /// <summary>Told of each result as it is found.</summary>
    public event Action<OfflineResult>? Found;

    /// <summary>Told of each memory as it begins to count.</summary>
    public event Action<OfflineMemory>? Remembered;

    /// <summary>Told of objects whose frame is passed over because it was prompted: what was found there is the result once more.</summary>
    public event Action<int, int>? Kept;

    /// <summary>The latest result is in the only row.</summary>
    public MaskResults Results { get; }

    /// <summary>The latest result.</summary>
    public MaskPrediction Prediction => Results[0];

    /// <summary>How often the image encoder ran.</summary>
    public long EncoderRuns => _features.EncoderRuns;

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
        ReadOnlySpan<float> low = o.Rows.TryGetValue(frame, out float[]? row) ? row.AsSpan(0, _model.LowSide * _model.LowSide) : [];
        Prompt(o, frame, new ObjectPrompt(_model, [], all.ToArray(), low), _binary);
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

    /// <summary>
    /// Prompts an object by what language says of it, and has the mask that is found be the truth that tracking begins with
    /// (docs/model/tracking.md#protocols). The frame stands alone, whether it was tracked or not.
    /// </summary>
    /// <param name="frame">Frame.</param>
    /// <param name="id">Object.</param>
    /// <param name="seg">[SEG] vector [D].</param>
    public void LanguageMask(int frame, int id, ReadOnlySpan<float> seg)
    {
        Tracked o = Object(id);
        o.Points.Remove(frame);
        Encode(frame);
        PromptedFrame.Find(_model, _features, null, new ObjectPrompt(_model, seg), Results, _cancellation);
        Read();
        float[] found = Results.Row(0).ToArray();
        GivenMask.Of(_model, Mask(Prediction.Low), _cancellation).Take(_model, _features, Results, _cancellation);
        o.Memory.Remember(_features, Results, binary: true, _cancellation);
        // What is shown is what was found, with the decoder's own score.
        Results.WriteRow(_model.Queue, 0, found);
        Finish(o, frame, OfflineKind.Prompt, binary: true, multimask: true);
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
        GivenMask.Of(_model, mask, _cancellation).Take(_model, _features, Results, _cancellation);
        o.Memory.Remember(_features, Results, _binary, _cancellation);
        Finish(o, frame, OfflineKind.Mask, _binary);
    }

    /// <summary>Tracks all objects from one frame to another, both included; frames that were prompted stay as they are.</summary>
    /// <param name="start">First frame.</param>
    /// <param name="end">Last frame.</param>
    /// <param name="reverse">True for backwards: then <paramref name="end"/> is before <paramref name="start"/>.</param>
    public void Propagate(int start, int end, bool reverse)
    {
        for (int t = start; reverse ? t >= end : t <= end; t += reverse ? -1 : 1) Step(t, reverse);
    }

    /// <summary>Tracks all objects on one frame.</summary>
    /// <param name="frame">Frame.</param>
    /// <param name="reverse">True if the video runs backwards.</param>
    public void Step(int frame, bool reverse)
    {
        foreach (Tracked o in _objects) Settle(o);
        int tracked = _objects.Count(o => !o.Memory.Bank.IsConditioning(frame));
        foreach (Tracked o in _objects)
        {
            if (o.Memory.Bank.IsConditioning(frame)) Keep(o, frame);
            else Track(o, frame, reverse, tracked--);
            o.Passed[frame] = reverse;
        }
    }

    /// <summary>
    /// Forgets what was tracked and is not attended to any more by a run that ends in going forwards; no such frame can be prompted then.
    /// </summary>
    /// <inheritdoc cref="MemoryBank.ForgetTracked"/>
    public void Forget(int frame, bool reverse, int start)
    {
        foreach (Tracked o in _objects)
        {
            o.Memory.Bank.ForgetTracked(frame, reverse, start);
            if (o.Memory.Bank.IsConditioning(frame)) continue;
            o.Rows.Remove(frame);
            o.Passed.Remove(frame);
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
        Results.Dispose();
        _input.Dispose();
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
        PromptedFrame.Find(_model, _features, looked, prompt, Results, _cancellation);
        o.Memory.Remember(_features, Results, binary, _cancellation);
        Finish(o, frame, looked is null ? OfflineKind.Prompt : OfflineKind.Correction, binary, prompt.Multimask);
    }

    private void Track(Tracked o, int frame, bool reverse, int left)
    {
        Encode(frame);
        _group.Clear();
        _group.Add(o.Memory.Bank, frame, 0, reverse);
        _group.Run(0, _cancellation, left);
        Read();
        o.Rows[frame] = Results.Row(0).ToArray();
        Found?.Invoke(new OfflineResult(OfflineKind.Track, o.Id, frame, Multimask: true, o.Memory.Bank));
        o.Memory.Bank.KeepTracked(frame);
        Remembered?.Invoke(new OfflineMemory(o.Id, frame, Binary: false, o.Memory));
    }

    private void Keep(Tracked o, int frame)
    {
        if (Kept is null) return;
        Results.WriteRow(_model.Queue, 0, o.Rows[frame]);
        Read();
        Kept(o.Id, frame);
    }

    private void Finish(Tracked o, int frame, OfflineKind kind, bool binary, bool multimask = false)
    {
        Read();
        o.Rows[frame] = Results.Row(0).ToArray();
        o.Memory.Bank.KeepPrompted(frame);
        o.Binary[frame] = binary;
        Found?.Invoke(new OfflineResult(kind, o.Id, frame, multimask, o.Memory.Bank));
    }

    private void Read()
    {
        Results.BeginRead(_model.Queue).Wait();
        _progress?.ThrowIfFailed();
    }

    private void Settle(Tracked o)
    {
        foreach (long frame in o.Memory.Bank.Prompted)
            Remembered?.Invoke(new OfflineMemory(o.Id, (int)frame, o.Binary[(int)frame], o.Memory));
        o.Memory.Bank.Settle();
    }

    /// <summary>The mask of logits, in the size of the frame that was encoded last.</summary>
    private Mask Mask(ReadOnlySpan<float> low)
    {
        var logits = new float[_size.Width * _size.Height];
        _resampler.Logits(low, _size.Height, _size.Width, logits);
        return new Mask(_size.Width, _size.Height, Array.ConvertAll(logits, v => (byte)(v > PackMasks.Threshold ? 1 : 0)));
    }

    private void Encode(int frame)
    {
        if (frame == _encoded) return;
        RgbImage picture = _frames(frame);
        // What was enqueued may still read the features of the frame before.
        _model.Queue.Mark().Wait();
        _encoded = -1;
        _progress?.Begin();
        _features.Encode(_input.Write(picture.View, _cancellation), _cancellation);
        (_encoded, _size) = (frame, (picture.Width, picture.Height));
    }

    /// <summary>
    /// An object, and what is known of each frame: what was found on it, the points on it, the direction in which it was passed last.
    /// </summary>
    private sealed record Tracked(int Id, ObjectMemory Memory)
    {
        public Dictionary<int, float[]> Rows { get; } = [];

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
