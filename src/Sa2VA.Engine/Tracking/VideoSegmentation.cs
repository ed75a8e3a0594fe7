using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The video loop (docs/model/tracking.md#video-loop) as a stream: a frame at a time goes in, every object's mask comes out. Each frame is
/// encoded once for all objects, and those that are tracked step in one run; objects do not influence each other, so each gets the bits it
/// would get alone. An object may join at any frame, whose own first frames are then its conditioning frames, and leave at any. A frame
/// that fails or is cancelled is skipped: nothing of it stays.
/// </summary>
internal sealed class VideoSegmentation : IDisposable
{
    private const int GroupRows = TrackedFrameGraph.MaxCapacity;
    private readonly SegmentationModel _model;
    private readonly List<ObjectTrack> _objects = [];
    private readonly List<TrackedGroup> _groups = [];
    private readonly List<FrameFeatures> _features = [];
    private MaskResults? _results;
    private MaskOutput? _output;
    private bool _isBound = true;

    public VideoSegmentation(SegmentationModel model)
    {
        _model = model;
        _features.Add(new FrameFeatures(model));
    }

    /// <summary>The latest frame's features.</summary>
    public FrameFeatures Features => _features[0];

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

    /// <summary>Encodes the next frame and steps every object on it; what a session shows is then in <see cref="Output"/>.</summary>
    /// <param name="input">Of the frame's size.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Step(FrameInput input, ImageView frame, bool logits, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        BindObjects(cancellation);
        if (_output is null && _results is not null) _output = new MaskOutput(_model, _results, frame.Width, frame.Height);
        input.Write(frame, cancellation);
        Features.Encode(cancellation);
        EnqueueObjects(last: false, cancellation);
        // One read for all objects; nothing that is read decides what was enqueued.
        Fence end = _output?.BeginRead(cancellation) ?? _model.Queue.Mark();
        if (logits && _results is not null) end = _results.BeginRead(_model.Queue);
        end.Wait();
        cancellation.ThrowIfCancellationRequested();
        for (int i = 0; i < _objects.Count; i++)
            if (!_output![i].IsFinite()) throw NotFinite(i);
        Keep();
    }

    /// <summary>Steps every object on the frame whose features are there, and reads all there is of it.</summary>
    /// <inheritdoc cref="Step(ReadOnlySpan{byte}, bool, CancellationToken)"/>
    public void StepObjects(bool last = false, CancellationToken cancellation = default)
    {
        BindObjects(cancellation);
        EnqueueObjects(last, cancellation);
        Fence end = _results?.BeginRead(_model.Queue) ?? _model.Queue.Mark();
        end.Wait();
        cancellation.ThrowIfCancellationRequested();
        for (int i = 0; i < _objects.Count; i++)
            if (!_objects[i].Prediction.IsFinite()) throw NotFinite(i);
        Keep();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        RemoveFrom(0);
        Unbind();
        foreach (FrameFeatures features in _features) features.Dispose();
    }

    /// <summary>Those that are conditioned one by one, then the others group by group.</summary>
    private void EnqueueObjects(bool last, CancellationToken cancellation)
    {
        foreach (TrackedGroup group in _groups) group.Clear();
        for (int i = 0; i < _objects.Count; i++)
        {
            ObjectTrack track = _objects[i];
            if (track.IsConditioned) track.Condition(0, remember: !last, cancellation);
            else track.Track(_groups[i / GroupRows], i % GroupRows);
        }
        foreach (TrackedGroup group in _groups) group.Run(0, cancellation);
    }

    private NonFiniteException NotFinite(int i)
    {
        NonFiniteException e = _objects[i].NotFinite(Features);
        return new NonFiniteException($"Frame {Frames}, object {i}: {e.Message}", e);
    }

    private void Keep()
    {
        // Only when every object has its mask does any of them remember the frame.
        foreach (ObjectTrack track in _objects) track.Keep();
        Frames++;
    }

    /// <summary>
    /// Gives every object a row of the results, and every group a plan with room for its objects, when they have changed. Before anything
    /// of a frame is enqueued: what has to be compiled for that holds up nobody else.
    /// </summary>
    private void BindObjects(CancellationToken cancellation)
    {
        if (_isBound) return;
        Unbind();
        try
        {
            if (_objects.Count > 0) _results = new MaskResults(_model, _objects.Count);
            for (int i = 0; i < _objects.Count; i++)
            {
                _objects[i].Bind(_features, _results!, i);
                if (i % GroupRows > 0) continue;
                int objects = Math.Min(GroupRows, _objects.Count - i);
                _groups.Add(new TrackedGroup(_model, _model.TrackedFrame(objects, cancellation), _features, _results!, i));
            }
            _isBound = true;
        }
        finally
        {
            // The next frame binds all of them again.
            if (!_isBound) Unbind();
        }
    }

    private void Unbind()
    {
        foreach (TrackedGroup group in _groups) group.Dispose();
        _groups.Clear();
        _output?.Dispose();
        _results?.Dispose();
        (_output, _results) = (null, null);
    }
}
