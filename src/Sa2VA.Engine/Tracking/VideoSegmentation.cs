using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The video loop (docs/model/tracking.md#video-loop) as a stream: a frame at a time goes in, every object's mask comes out. Each frame is
/// encoded once for all objects, and those that are tracked step in one run; objects do not influence each other, so each gets the bits it
/// would get alone. An object may join at any frame, whose own first frames are then its conditioning frames, and leave at any. A frame
/// that fails or is cancelled is skipped: nothing of it stays.
/// <para>
/// There are features for one frame, or for two, so that the next frame can be encoded while objects are tracked on one: whoever brings a
/// frame takes them (<see cref="TakeFeatures"/>) and gives them back when the frame is through.
/// </para>
/// </summary>
internal sealed class VideoSegmentation : IDisposable
{
    private const int GroupRows = TrackedFrameGraph.MaxCapacity;
    private readonly SegmentationModel _model;
    private readonly List<ObjectTrack> _objects = [];
    private readonly List<TrackedGroup> _groups = [];
    private readonly List<FrameFeatures> _features = [];
    private readonly List<FrameInput> _inputs = [];
    private readonly List<bool> _taken = [];
    private readonly (int Width, int Height)? _size;
    private MaskResults? _results, _scratch;
    private MaskOutput? _output;
    private bool _isBound = true;
    private int _newest;

    /// <param name="model">Model.</param>
    /// <param name="size">Of the frames; null where levels of the encoder's size are brought.</param>
    public VideoSegmentation(SegmentationModel model, (int Width, int Height)? size = null)
    {
        (_model, _size) = (model, size);
        AddFeatures();
    }

    /// <summary>The features that a stream always has.</summary>
    public FrameFeatures Features => _features[0];

    /// <summary>How often the image encoder ran.</summary>
    public long EncoderRuns
    {
        get
        {
            long runs = 0;
            foreach (FrameFeatures features in _features) runs += features.EncoderRuns;
            return runs;
        }
    }

    /// <summary>What the host is told of the latest frame; null without objects.</summary>
    public MaskOutput? Output => _output;

    /// <summary>What was read of the results themselves, where that was asked for.</summary>
    public MaskResults? Results => _results;

    /// <summary>Frames that were processed and kept.</summary>
    public long Frames { get; private set; }

    /// <summary>Objects in the order they joined.</summary>
    public IReadOnlyList<ObjectTrack> Objects => _objects;

    /// <summary>Adds an object that is looked for from the next frame on.</summary>
    /// <param name="prompt">What names it.</param>
    /// <param name="conditioningFrames">Its first frames that carry the prompt, 1 to the model's capacity.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack Add(ObjectPrompt prompt, int conditioningFrames, CancellationToken cancellation = default)
    {
        var track = new ObjectTrack(_model, prompt, conditioningFrames, cancellation);
        _objects.Add(track);
        _isBound = false;
        return track;
    }

    /// <summary>Adds an object that a prompt on the newest frame will name.</summary>
    public ObjectTrack Add()
    {
        var track = new ObjectTrack(_model);
        _objects.Add(track);
        _isBound = false;
        return track;
    }

    /// <summary>Has an object leave: it has no part in the next frame, and what it remembered makes room for others.</summary>
    /// <param name="index">Its place among <see cref="Objects"/>; those behind it move up.</param>
    public void RemoveAt(int index)
    {
        ObjectTrack track = _objects[index];
        _objects.RemoveAt(index);
        _isBound = false;
        track.Dispose();
    }

    /// <summary>Takes back the objects that were added last, none of which has seen a frame.</summary>
    /// <param name="count">Objects that stay.</param>
    public void RemoveFrom(int count)
    {
        while (_objects.Count > count) RemoveAt(_objects.Count - 1);
    }

    /// <summary>Encodes the next frame and steps every object on it.</summary>
    /// <param name="image">8-bit levels [S, S, 3].</param>
    /// <param name="last">
    /// True when it is known that no frame follows: nothing is remembered for it if all objects are still conditioned.
    /// </param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Step(ReadOnlySpan<byte> image, bool last = false, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        Features.Encode(image, cancellation);
        StepObjects(last, cancellation);
    }

    /// <summary>Steps every object on the frame whose features are there, and reads all there is of it.</summary>
    /// <inheritdoc cref="Step(ReadOnlySpan{byte}, bool, CancellationToken)"/>
    public void StepObjects(bool last = false, CancellationToken cancellation = default)
    {
        BindObjects(cancellation);
        Fence begin = _model.Queue.Mark();
        EnqueueObjects(0, last, cancellation);
        Fence end = _results?.BeginRead(_model.Queue) ?? Features.Encoded;
        end.Since(begin).Wait();
        cancellation.ThrowIfCancellationRequested();
        for (int i = 0; i < _objects.Count; i++)
            if (!_objects[i].Prediction.IsFinite()) throw NotFinite(0, i);
        Keep(0);
    }

    /// <summary>Encodes the next frame and steps every object on it; what a session shows is then in <see cref="Output"/>.</summary>
    /// <param name="frame">Of the stream's size.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Step(ImageView frame, bool logits, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        int features = TakeFeatures();
        try
        {
            Prepare(cancellation);
            Encode(features, frame, cancellation);
            Enqueue(features, logits, cancellation).Wait();
            Finish(features, cancellation);
        }
        finally
        {
            ReturnFeatures(features);
        }
    }

    /// <summary>Has a frame wait for no other's features: there are then two.</summary>
    /// <exception cref="DeviceException">The memory budget does not suffice for them.</exception>
    public void AllowAhead()
    {
        if (_features.Count == 1) AddFeatures();
    }

    /// <summary>Features for a frame that comes; −1 if there are none to be had.</summary>
    public int TakeFeatures()
    {
        int free = _taken.IndexOf(false);
        if (free >= 0) _taken[free] = true;
        return free;
    }

    /// <summary>The frame is through, or given up.</summary>
    public void ReturnFeatures(int features) => _taken[features] = false;

    /// <summary>
    /// Makes ready for a frame what depends on the objects, when they have changed. Before anything of the frame is enqueued: what has to
    /// be compiled for that holds up nobody else.
    /// </summary>
    public void Prepare(CancellationToken cancellation)
    {
        BindObjects(cancellation);
        if (_output is null && _results is not null) _output = new MaskOutput(_model, _results, _size!.Value.Width, _size.Value.Height);
    }

    /// <summary>When a frame can be brought to the device without waiting.</summary>
    public Task WhenEncoderIsFree() => _model.EncoderQueue.Mark().WhenReached();

    /// <summary>Enqueues encoding a frame; no object steps yet.</summary>
    public void Encode(int features, ImageView frame, CancellationToken cancellation)
    {
        _features[features].Encode(_inputs[features].Write(frame, cancellation), cancellation);
    }

    /// <summary>Enqueues every object's step on an encoded frame, and the one read of what came of it.</summary>
    /// <param name="features">The frame's.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <returns>When it has arrived.</returns>
    public Fence Enqueue(int features, bool logits, CancellationToken cancellation)
    {
        Fence begin = _model.Queue.Mark();
        EnqueueObjects(features, last: false, cancellation);
        // One read for all objects; nothing that is read decides what was enqueued.
        Fence end = _output?.BeginRead(cancellation) ?? _features[features].Encoded;
        if (logits && _results is not null) end = _results.BeginRead(_model.Queue);
        return end.Since(begin);
    }

    /// <summary>Looks at what has arrived; only if it is sound do the objects remember the frame.</summary>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Finish(int features, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        for (int i = 0; i < _objects.Count; i++)
            if (!_output![i].IsFinite()) throw NotFinite(features, i);
        Keep(features);
    }

    /// <summary>
    /// Prompts an object on the newest frame, and reads all objects' results on it. Nothing has changed when this fails.
    /// </summary>
    /// <param name="index">Its place among <see cref="Objects"/>.</param>
    /// <param name="points">All points on the frame, those of earlier prompts included; none for a mask.</param>
    /// <param name="mask">A mask to be taken for the truth, or null.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">A result is not finite.</exception>
    public void Prompt(int index, ReadOnlySpan<PointPrompt> points, GivenMask? mask, bool logits, CancellationToken cancellation)
    {
        Prepare(cancellation);
        _scratch ??= new MaskResults(_model, 1);
        ObjectTrack track = _objects[index];
        FrameFeatures features = _features[_newest];
        if (mask is null) track.Prompt(features, points, _scratch, cancellation);
        else track.Prompt(features, mask, _scratch, cancellation);
        // Also what is enqueued behind this, such as the next frame's encoding, finds the features unread.
        _scratch.BeginRead(_model.Queue).Wait();
        cancellation.ThrowIfCancellationRequested();
        if (!_scratch[0].IsFinite())
            throw new NonFiniteException($"Frame {Frames - 1}, object {index}: the prompt's result is not finite.");
        track.KeepPrompt(Frames - 1, points, _scratch);
        for (int i = 0; i < _objects.Count; i++)
            if (!_objects[i].HasMask) _results!.ClearRow(_model.Queue, i);
        Fence end = _output!.BeginRead(CancellationToken.None);
        if (logits) end = _results!.BeginRead(_model.Queue);
        end.Wait();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        RemoveFrom(0);
        Unbind();
        _results?.Dispose();
        _scratch?.Dispose();
        foreach (FrameInput input in _inputs) input.Dispose();
        foreach (FrameFeatures features in _features) features.Dispose();
    }

    /// <summary>Those that are conditioned one by one, then the others group by group.</summary>
    private void EnqueueObjects(int features, bool last, CancellationToken cancellation)
    {
        foreach (TrackedGroup group in _groups) group.Clear();
        for (int i = 0; i < _objects.Count; i++)
        {
            ObjectTrack track = _objects[i];
            if (track.IsConditioned) track.Condition(features, remember: !last, cancellation);
            else track.Track(Frames, _groups[i / GroupRows], i % GroupRows);
        }
        foreach (TrackedGroup group in _groups) group.Run(features, cancellation);
    }

    private NonFiniteException NotFinite(int features, int i)
    {
        NonFiniteException e = _objects[i].NotFinite(_features[features], Frames);
        return new NonFiniteException($"Frame {Frames}, object {i}: {e.Message}", e);
    }

    private void Keep(int features)
    {
        // Only when every object has its mask does any of them remember the frame.
        foreach (ObjectTrack track in _objects) track.Keep(Frames);
        Frames++;
        _newest = features;
    }

    private void AddFeatures()
    {
        var features = new FrameFeatures(_model);
        try
        {
            if (_size is { } size) _inputs.Add(new FrameInput(_model, features.Image, size.Width, size.Height));
        }
        catch
        {
            features.Dispose();
            throw;
        }
        _features.Add(features);
        _taken.Add(false);
        _isBound = _objects.Count == 0;
    }

    /// <summary>Gives every object a row of the results, and every group a plan with room for its objects.</summary>
    private void BindObjects(CancellationToken cancellation)
    {
        if (_isBound) return;
        Unbind();
        MaskResults? results = null;
        try
        {
            if (_objects.Count > 0) results = new MaskResults(_model, _objects.Count);
            for (int i = 0; i < _objects.Count; i++)
            {
                _objects[i].Bind(_features, results!, i);
                if (i % GroupRows > 0) continue;
                int objects = Math.Min(GroupRows, _objects.Count - i);
                _groups.Add(new TrackedGroup(_model, _model.TrackedFrame(objects, cancellation), _features, results!, i));
            }
            for (int i = 0; i < _objects.Count; i++) _objects[i].Move(results!, i);
            (_results, results) = (results, _results);
            _isBound = true;
        }
        finally
        {
            // Whichever results are of no use any more; the next frame binds all objects again if they are not bound.
            results?.Dispose();
            if (!_isBound) Unbind();
        }
    }

    private void Unbind()
    {
        foreach (TrackedGroup group in _groups) group.Dispose();
        _groups.Clear();
        _output?.Dispose();
        _output = null;
    }
}
