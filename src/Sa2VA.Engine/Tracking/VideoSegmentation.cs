using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The video loop (docs/model/tracking.md#video-loop) as a stream: a frame at a time goes in, every object's mask comes out. Each frame is
/// encoded once for all objects, and those that are tracked step in one run; objects do not influence each other, so each gets the bits it
/// would get alone. An object may join at any frame, whose own first frames are then its conditioning frames, and leave at any. A frame
/// that fails or is cancelled is skipped: nothing of it stays.
/// <para>
/// There are features for up to three frames: those of the newest one stay for prompts on it, whatever becomes of the next, and one can be
/// encoded while objects are tracked on another. Whoever brings a frame takes features (<see cref="TakeFeatures"/>) and gives them back
/// when the frame is through. Frames may have any size, and each another one.
/// </para>
/// </summary>
internal sealed partial class VideoSegmentation : IDisposable
{
    private const int GroupRows = TrackedFrameGraph.MaxCapacity, MostSets = 3, None = -1;
    private readonly SegmentationModel _model;
    private readonly Action<double>? _report;
    private readonly List<ObjectTrack> _objects = [];
    private readonly List<TrackedGroup> _groups = [];
    private readonly List<FrameSet> _frames = [];
    private MaskResults? _scratch, _before;
    private MaskOutput? _output;
    private bool _isBound = true, _mayAddSets = true;
    private int _newest = None;

    /// <param name="model">Model.</param>
    /// <param name="report">Told how far the frame is that is due, on the queues' threads; null for nobody.</param>
    public VideoSegmentation(SegmentationModel model, Action<double>? report = null)
    {
        (_model, _report) = (model, report);
        Add(new FrameSet(model, report));
    }

    /// <summary>The features that a stream always has.</summary>
    public FrameFeatures Features => _frames[0].Features;

    /// <summary>How often the image encoder ran.</summary>
    public long EncoderRuns
    {
        get
        {
            long runs = 0;
            foreach (FrameSet frame in _frames) runs += frame.Features.EncoderRuns;
            return runs;
        }
    }

    /// <summary>Columns and rows of the newest frame; 0 before the first one.</summary>
    public (int Width, int Height) Size { get; private set; }

    /// <summary>What the host is told of the latest frame; null without objects.</summary>
    public MaskOutput? Output => _output;

    /// <summary>What was read of the newest frame's results themselves, where that was asked for.</summary>
    public MaskResults? Results => _newest == None ? null : _frames[_newest].Results;

    /// <summary>Frames that were processed and kept.</summary>
    public long Frames { get; private set; }

    /// <summary>Objects in the order they joined.</summary>
    public IReadOnlyList<ObjectTrack> Objects => _objects;

    /// <summary>Adds an object that is looked for from the next frame on.</summary>
    /// <param name="prompt">What names it.</param>
    /// <param name="conditioningFrames">Its first frames that carry the prompt, 1 to the model's capacity.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    public ObjectTrack Add(ObjectPrompt prompt, int conditioningFrames, CancellationToken cancellation = default) =>
        Add(new ObjectTrack(_model, prompt, conditioningFrames, cancellation));

    /// <summary>Adds an object that a prompt on the newest frame will name.</summary>
    public ObjectTrack Add() => Add(new ObjectTrack(_model));

    /// <summary>Adds an object that has seen no frame yet.</summary>
    /// <param name="track">The object; owned from now on.</param>
    public ObjectTrack Add(ObjectTrack track)
    {
        Insert(_objects.Count, track);
        return track;
    }

    /// <summary>Adds an object that has seen no frame yet in front of others.</summary>
    /// <param name="index">Its place among <see cref="Objects"/>.</param>
    /// <param name="track">The object; owned from now on.</param>
    public void Insert(int index, ObjectTrack track)
    {
        _objects.Insert(index, track);
        _isBound = false;
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

    /// <summary>Begins anew, with the buffers that there are.</summary>
    public void Reset()
    {
        RemoveFrom(0);
        (Frames, Size, _newest) = (0, default, None);
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
        Fence end = _frames[0].Results?.BeginRead(_model.Queue) ?? Features.Encoded;
        end.Since(begin).Wait();
        cancellation.ThrowIfCancellationRequested();
        for (int i = 0; i < _objects.Count; i++)
            if (!_objects[i].Prediction.IsFinite()) throw NotFinite(0, i);
        Keep(0);
    }

    /// <summary>Encodes the next frame and steps every object on it; what a session shows is then in <see cref="Output"/>.</summary>
    /// <param name="frame">Of any size.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Step(ImageView frame, bool logits, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        (int Width, int Height) size = (frame.Width, frame.Height);
        int features = TakeFeatures(size, cancellation);
        try
        {
            Due(features);
            Prepare(size, cancellation);
            Encode(features, frame, cancellation);
            Enqueue(features, logits, cancellation).Wait();
            Finish(features, size, cancellation);
        }
        finally
        {
            ReturnFeatures(features);
        }
    }

    /// <summary>
    /// Features for a frame that comes; those of the newest frame only where there is no memory for others. −1 if there are none to be had.
    /// </summary>
    public int TakeFeatures((int Width, int Height) size, CancellationToken cancellation)
    {
        int free = None;
        for (int i = 0; i < _frames.Count && (free == None || free == _newest); i++)
            if (!_frames[i].IsTaken) free = i;
        if ((free == None || free == _newest) && TryAddSet(size, cancellation)) free = _frames.Count - 1;
        if (free != None) _frames[free].IsTaken = true;
        return free;
    }

    /// <summary>A frame is the one whose masks come next.</summary>
    public void Due(int features)
    {
        for (int i = 0; i < _frames.Count; i++)
            if (_frames[i].Progress is { } progress) progress.IsQuiet = i != features;
    }

    /// <summary>The frame is through, or given up.</summary>
    public void ReturnFeatures(int features) => _frames[features].IsTaken = false;

    /// <summary>
    /// Makes ready for a frame what depends on the objects, when they have changed, or on its size. Before anything of the frame is
    /// enqueued: what has to be compiled for that holds up nobody else.
    /// </summary>
    public void Prepare((int Width, int Height) size, CancellationToken cancellation)
    {
        BindObjects(cancellation);
        if (_output is not null && _output.Size != size)
        {
            _output.Dispose();
            _output = null;
        }
        if (_output is null && _objects.Count > 0) _output = new MaskOutput(_model, Rows, size.Width, size.Height);
    }

    /// <summary>When a frame can be brought to the device without waiting.</summary>
    public Task WhenEncoderIsFree() => _model.EncoderQueue.Mark().WhenReached();

    /// <summary>Enqueues encoding a frame; no object steps yet.</summary>
    public void Encode(int features, ImageView frame, CancellationToken cancellation)
    {
        if (features == _newest) _newest = None;
        _frames[features].Encode(frame, cancellation);
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
        Fence end = _output?.BeginRead(features, cancellation) ?? _frames[features].Features.Encoded;
        if (logits && _frames[features].Results is { } results) end = results.BeginRead(_model.Queue);
        return end.Since(begin);
    }

    /// <summary>Looks at what has arrived; only if it is sound do the objects remember the frame.</summary>
    /// <exception cref="NonFiniteException">A result is not finite; the message names frame, object and stage.</exception>
    public void Finish(int features, (int Width, int Height) size, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        _frames[features].Progress?.ThrowIfFailed();
        for (int i = 0; i < _objects.Count; i++)
            if (!_output![i].IsFinite()) throw NotFinite(features, i);
        Keep(features);
        Size = size;
    }

    /// <summary>
    /// Prompts an object on the newest frame, and reads all objects' results on it. Nothing has changed when this fails.
    /// </summary>
    /// <param name="index">Its place among <see cref="Objects"/>.</param>
    /// <param name="points">All points on the frame, those of earlier prompts included; none for a mask.</param>
    /// <param name="mask">A mask to be taken for the truth, or null.</param>
    /// <param name="logits">True if the results themselves are to be read too.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="PromptException">The newest frame's features had to make room for those of a frame that was skipped.</exception>
    /// <exception cref="NonFiniteException">A result is not finite.</exception>
    public void Prompt(int index, ReadOnlySpan<PointPrompt> points, GivenMask? mask, bool logits, CancellationToken cancellation)
    {
        CheckNewest();
        Prepare(Size, cancellation);
        _scratch ??= new MaskResults(_model, 1);
        ObjectTrack track = _objects[index];
        FrameSet newest = _frames[_newest];
        if (mask is null) track.Prompt(newest, points, _scratch, cancellation);
        else track.Prompt(newest.Features, mask, _scratch, cancellation);
        // Also what is enqueued behind this, such as the next frame's encoding, finds the features unread.
        _scratch.BeginRead(_model.Queue).Wait();
        cancellation.ThrowIfCancellationRequested();
        if (!_scratch[0].IsFinite())
            throw new NonFiniteException($"Frame {Frames - 1}, object {index}: the prompt's result is not finite.");
        ShowPrompted(newest.Results!, index, logits);
        track.KeepPrompt(Frames - 1, points);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        RemoveFrom(0);
        Unbind();
        _scratch?.Dispose();
        _before?.Dispose();
        foreach (FrameSet frame in _frames) frame.Dispose();
    }

    /// <summary>Has a prompt's result be what is known of the object, and reads all objects; if that fails, all is as it was.</summary>
    private void ShowPrompted(MaskResults results, int index, bool logits)
    {
        int row = _objects[index].Row;
        _before ??= new MaskResults(_model, 1);
        _before.CopyRow(_model.Queue, results, row, 0);
        try
        {
            results.CopyRow(_model.Queue, _scratch!, 0, row);
            for (int i = 0; i < _objects.Count; i++)
                if (i != index && !_objects[i].HasMask) results.ClearRow(_model.Queue, i);
            Read();
        }
        catch
        {
            results.CopyRow(_model.Queue, _before, 0, row);
            Read();
            throw;
        }

        void Read()
        {
            Fence begin = _model.Queue.Mark(), end = _output!.BeginRead(_newest, CancellationToken.None);
            if (logits) end = results.BeginRead(_model.Queue);
            end.Since(begin).Wait();
        }
    }

    private void CheckNewest()
    {
        if (_newest != None) return;
        throw new PromptException("What a prompt would look at had to make room for a later frame, which was skipped, since the memory "
            + "budget is small: push another frame and show the object there, or raise ModelOptions.MemoryBudget.");
    }

    /// <summary>Those that are conditioned one by one, then the others group by group.</summary>
    private void EnqueueObjects(int features, bool last, CancellationToken cancellation)
    {
        foreach (TrackedGroup group in _groups) group.Clear();
        for (int i = 0; i < _objects.Count; i++)
        {
            ObjectTrack track = _objects[i];
            if (track.IsConditioned) track.Condition(features, remember: !last, cancellation);
            else track.Track(features, Frames, _groups[i / GroupRows], i % GroupRows);
        }
        foreach (TrackedGroup group in _groups) group.Run(features, cancellation);
    }

    private MaskResults[] Rows => [.. _frames.Select(f => f.Results!)];

    private NonFiniteException NotFinite(int features, int i)
    {
        NonFiniteException e = _objects[i].NotFinite(_frames[features].Features, Frames);
        return new NonFiniteException($"Frame {Frames}, object {i}: {e.Message}", e);
    }

    private void Keep(int features)
    {
        // Only when every object has its mask does any of them remember the frame.
        foreach (ObjectTrack track in _objects) track.Keep(Frames);
        Frames++;
        _newest = features;
    }

    private bool TryAddSet((int Width, int Height) size, CancellationToken cancellation)
    {
        if (!_mayAddSets || _frames.Count == MostSets) return false;
        FrameSet? set = null;
        try
        {
            set = new FrameSet(_model, _report);
            set.Prepare(size, cancellation);
            (FrameSet added, set) = (set, null);
            Add(added);
            return true;
        }
        catch (DeviceMemoryException)
        {
            // Not tried for every frame.
            return _mayAddSets = false;
        }
        finally
        {
            set?.Dispose();
        }
    }

    private void Add(FrameSet set)
    {
        _frames.Add(set);
        // Where the last object has left, what was bound for it is there still.
        if (_objects.Count > 0) _isBound = false;
    }

    /// <summary>Gives every object a row of each frame's results, and every group a plan with room for its objects.</summary>
    private void BindObjects(CancellationToken cancellation)
    {
        if (_isBound) return;
        Unbind();
        var results = new List<MaskResults>();
        try
        {
            for (int i = 0; i < _frames.Count && _objects.Count > 0; i++) results.Add(new MaskResults(_model, _objects.Count));
            FrameFeatures[] features = [.. _frames.Select(f => f.Features)];
            for (int i = 0; i < _objects.Count; i++)
            {
                _objects[i].Bind(features, results, i);
                if (i % GroupRows > 0) continue;
                int objects = Math.Min(GroupRows, _objects.Count - i);
                _groups.Add(new TrackedGroup(_model, _model.TrackedFrame(objects, cancellation), features, results, i,
                    [.. _frames.Select(f => f.Progress)]));
            }
            for (int i = 0; i < _objects.Count; i++)
            {
                // What is known of the newest frame goes along.
                if (_objects[i].HasMask && Results is { } known) results[_newest].CopyRow(_model.Queue, known, _objects[i].Row, i);
                _objects[i].Move(results, i);
            }
            for (int i = 0; i < _frames.Count; i++)
            {
                _frames[i].Results?.Dispose();
                _frames[i].Results = _objects.Count > 0 ? results[i] : null;
            }
            _isBound = true;
        }
        finally
        {
            // The next frame binds all objects again.
            if (!_isBound)
            {
                foreach (MaskResults unused in results) unused.Dispose();
                Unbind();
            }
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
