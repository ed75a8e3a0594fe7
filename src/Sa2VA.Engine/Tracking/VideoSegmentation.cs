using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The video loop (docs/model/tracking.md#video-loop) as a stream: a frame at a time goes in, every object's mask comes out. Each frame is
/// encoded once for all objects; objects do not influence each other, so each gets the bits it would get alone. An object may join at any
/// frame: its own first frames are then its conditioning frames. A frame that fails or is cancelled is skipped: nothing of it stays.
/// </summary>
internal sealed class VideoSegmentation : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly List<ObjectTrack> _objects = [];
    private readonly List<int> _conditioning = [];
    private MaskResults? _results;
    private MaskOutput? _output;

    public VideoSegmentation(SegmentationModel model)
    {
        _model = model;
        Features = new FrameFeatures(model);
    }

    /// <summary>The latest frame's features.</summary>
    public FrameFeatures Features { get; }

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
        if (conditioningFrames < 1 || conditioningFrames > _model.ConditioningFrames)
            throw new PromptException($"An object has 1 to {_model.ConditioningFrames} conditioning frames, not {conditioningFrames}.");
        var track = new ObjectTrack(_model, prompt, cancellation);
        _objects.Add(track);
        _conditioning.Add(conditioningFrames);
        return track;
    }

    /// <summary>Takes back the objects that were added last, none of which has seen a frame.</summary>
    /// <param name="count">Objects that stay.</param>
    public void RemoveFrom(int count)
    {
        for (int i = count; i < _objects.Count; i++) _objects[i].Dispose();
        _objects.RemoveRange(count, _objects.Count - count);
        _conditioning.RemoveRange(count, _conditioning.Count - count);
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
        BindObjects();
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
        BindObjects();
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
        foreach (ObjectTrack track in _objects) track.Dispose();
        _objects.Clear();
        _output?.Dispose();
        _results?.Dispose();
        Features.Dispose();
    }

    private void EnqueueObjects(bool last, CancellationToken cancellation)
    {
        for (int i = 0; i < _objects.Count; i++)
        {
            ObjectTrack track = _objects[i];
            if (track.Frames < _conditioning[i]) track.Condition(remember: !last, cancellation);
            else track.Track(cancellation);
        }
    }

    private NonFiniteException NotFinite(int i)
    {
        NonFiniteException e = _objects[i].NotFinite();
        return new NonFiniteException($"Frame {Frames}, object {i}: {e.Message}", e);
    }

    private void Keep()
    {
        // Only when every object has its mask does any of them remember the frame.
        foreach (ObjectTrack track in _objects) track.Keep();
        Frames++;
    }

    /// <summary>Gives every object a row of the results when their number has changed.</summary>
    private void BindObjects()
    {
        if ((_results?.Rows ?? 0) == _objects.Count) return;
        MaskResults? results = _objects.Count == 0 ? null : new MaskResults(_model, _objects.Count);
        try
        {
            for (int i = 0; i < _objects.Count; i++) _objects[i].Bind(Features, results!, i);
        }
        catch
        {
            // The next frame binds all of them again.
            results?.Dispose();
            throw;
        }
        _output?.Dispose();
        _output = null;
        _results?.Dispose();
        _results = results;
    }
}
