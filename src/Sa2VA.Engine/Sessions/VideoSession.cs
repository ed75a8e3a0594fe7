using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation about a video, and the video itself as a stream: questions name objects, frames go in one at a time, masks of all objects
/// come out. Each frame is encoded once for all objects, and memory does not grow with the stream. Objects may be named before the first
/// frame or between any two. A frame that fails or is cancelled is skipped: the stream goes on as if it had never been pushed.
/// </summary>
public sealed class VideoSession : ChatSession
{
    private readonly LanguageFrames _shown;
    private readonly bool _reuseMasks;
    private readonly int _maxObjects;
    private readonly VideoSegmentation _stream;
    private readonly MaskResampler _resampler;
    private readonly List<(int Id, bool Logits)> _named = [];
    private FrameMasks? _masks;

    internal VideoSession(Sa2VAModel model, LanguageFrames shown, VideoOptions options)
        : base(model, [.. shown.Tiles.Select(t => model.Config.Family.GridOf(t, model.Config))])
    {
        int side = model.Config.Grounding.ImageSize;
        (_shown, _reuseMasks, _maxObjects) = (shown, options.ReuseMasks, options.MaxObjects);
        _resampler = new MaskResampler(model.Segmentation.LowSide, side);
        try
        {
            _stream = new VideoSegmentation(model.Segmentation, (shown.Width, shown.Height));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Frames processed.</summary>
    public long Frames => _stream.Frames;

    /// <summary>Objects that the stream follows.</summary>
    public int ObjectCount => _named.Count;

    /// <summary>How often the image encoder has run: once per frame, and for a frame that was encoded ahead and then given up.</summary>
    public long EncoderRuns => _stream.EncoderRuns;

    private protected override bool IsVideo => true;

    /// <summary>Processes the next frame.</summary>
    /// <inheritdoc cref="Next(ImageView, CancellationToken)"/>
    public FrameMasks Next(RgbImage frame, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        return Next(frame.View, cancellation);
    }

    /// <summary>Processes the next frame from memory of the caller, as a camera gives it.</summary>
    /// <param name="frame">Of the size of the frames that the language model was shown.</param>
    /// <param name="cancellation">Stops between two ops; the frame is then skipped.</param>
    /// <returns>All objects on it, with masks of their own unless <see cref="VideoOptions.ReuseMasks"/> is set.</returns>
    /// <exception cref="MediaException">The frame's size differs.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; the frame is then skipped.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public FrameMasks Next(ImageView frame, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterFrame(cancellation);
        CheckSize(frame, Frames);
        FrameMasks masks = RoomForMasks();
        _stream.Step(frame, WantsLogits, cancellation);
        Fill(masks);
        return masks;
    }

    /// <summary>
    /// Processes frames as they come; no thread waits meanwhile. A frame is encoded while objects are tracked on the one before it, so
    /// <paramref name="frames"/> is asked for it before that one's masks are returned; one that was taken and not returned is skipped.
    /// Questions may be asked between two frames.
    /// </summary>
    /// <param name="frames">Frames of the size that the language model was shown.</param>
    /// <param name="cancellation">Stops within one frame, which is then skipped.</param>
    /// <returns>Masks per frame, each as soon as they are done.</returns>
    /// <inheritdoc cref="Next(ImageView, CancellationToken)"/>
    public async IAsyncEnumerable<FrameMasks> TrackAsync(IAsyncEnumerable<RgbImage> frames,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        await using var tracking = new FrameTracking(this, _stream, frames, cancellation);
        // What is computed on the host is not computed on the caller's thread.
        while (await Task.Run(tracking.NextAsync, cancellation).ConfigureAwait(false) is { } masks) yield return masks;
    }

    /// <summary>
    /// Has an object join that is shown on the newest frame by clicks, a box or a mask (docs/model/interactive.md): later frames follow it.
    /// </summary>
    /// <param name="prompt">Where the object is.</param>
    /// <param name="masks">All objects that have a mask on the newest frame, the new one last.</param>
    /// <param name="cancellation">Stops between two ops; the object has then not joined.</param>
    /// <returns>The object's number.</returns>
    /// <exception cref="PromptException">
    /// No frame was processed yet, the prompt does not fit the frame, the mask is empty, or there are too many objects.
    /// </exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; the object has then not joined.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public int Follow(VisualPrompt prompt, out FrameMasks masks, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterPrompt(prompt, cancellation);
        if (_named.Count >= _maxObjects)
        {
            throw new PromptException($"There would be too many objects: the stream follows {_named.Count}, at most {_maxObjects}. "
                + "Remove one, or raise VideoOptions.MaxObjects.");
        }
        if (prompt.Mask is { Area: 0 })
            throw new PromptException("An empty mask cannot begin an object: give a mask that has pixels inside, or a click or a box.");
        int index = _named.Count;
        _stream.Add();
        try
        {
            PromptObject(index, prompt, cancellation);
        }
        catch
        {
            _stream.RemoveFrom(index);
            throw;
        }
        int id = NextObject();
        _named.Add((id, Logits: false));
        masks = NewestMasks();
        return id;
    }

    /// <summary>
    /// Corrects an object on the newest frame by clicks, a box or a mask (docs/model/interactive.md): its mask there is refined, with the
    /// memory that the object has, and becomes part of it. What language said of the object is not repeated on later frames.
    /// </summary>
    /// <param name="id">The object's number.</param>
    /// <param name="prompt">Where the object is, and is not.</param>
    /// <param name="cancellation">Stops between two ops; nothing has then changed.</param>
    /// <returns>All objects that have a mask on the newest frame.</returns>
    /// <exception cref="PromptException">
    /// No frame was processed yet, the object is not known, or the prompt does not fit the frame.
    /// </exception>
    /// <inheritdoc cref="Follow"/>
    public FrameMasks Correct(int id, VisualPrompt prompt, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterPrompt(prompt, cancellation);
        PromptObject(IndexOf(id), prompt, cancellation);
        return NewestMasks();
    }

    /// <summary>
    /// Has an object leave: later frames have no mask of it, and what it remembered makes room for others, whose masks do not change.
    /// </summary>
    /// <param name="id">The object's number.</param>
    /// <exception cref="PromptException">The session has no such object.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public void Remove(int id)
    {
        using SessionGate.Entry gate = Gate.Enter(this);
        int index = IndexOf(id);
        _named.RemoveAt(index);
        _stream.RemoveAt(index);
        _masks = null;
    }

    private protected override IReadOnlyList<RgbImage> LanguageTiles() => _shown.Tiles;

    private protected override async Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs,
        Question question)
    {
        int conditioning = Math.Min(Tiles.Count, SegmentationModel.LanguageFrames), before = _stream.Objects.Count;
        try
        {
            foreach (SegVector seg in segs)
                _stream.Add(new ObjectPrompt(Model.Segmentation, seg.Buffer, seg.Written), conditioning, question.Cancellation);
            foreach (AnswerObject o in objects) question.Tell(new ObjectUpdate(o));
            await question.SettleAsync().ConfigureAwait(false);
        }
        catch
        {
            _stream.RemoveFrom(before);
            throw;
        }
        foreach (AnswerObject o in objects) _named.Add((o.Id, question.Options.Logits));
    }

    private protected override void DisposeFrames() => _stream?.Dispose();

    /// <summary>True if a frame's logits are to be read.</summary>
    internal bool WantsLogits => _named.Exists(o => o.Logits);

    private SessionGate.Entry EnterPrompt(VisualPrompt prompt, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        SessionGate.Entry gate = EnterFrame(cancellation);
        try
        {
            if (Frames == 0) throw new PromptException("No frame was processed yet: push one, then show objects on it.");
            prompt.Check(_shown.Width, _shown.Height);
            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }

    private void PromptObject(int index, VisualPrompt prompt, CancellationToken cancellation)
    {
        SegmentationModel model = Model.Segmentation;
        ObjectTrack track = _stream.Objects[index];
        PointPrompt[] points = prompt.Points(_shown.Width, _shown.Height, model.Config.ImageSize);
        if (!prompt.Anew) points = [.. track.Points, .. points];
        GivenMask? mask = prompt.Mask is { } given ? GivenMask.Of(model, given, cancellation) : null;
        _stream.Prompt(index, points, mask, WantsLogits, cancellation);
    }

    private FrameMasks NewestMasks()
    {
        var masks = new FrameMasks(_shown.Width, _shown.Height) { Frame = Frames - 1 };
        for (int i = 0; i < _named.Count; i++)
        {
            // Who was named since the frame came has no mask on it.
            if (!_stream.Objects[i].HasMask) continue;
            var mask = new ObjectMask(_named[i].Id, _shown.Width, _shown.Height, _named[i].Logits);
            mask.Fill(_stream.Output!, _stream.Results!, i, _resampler);
            masks.Add(mask);
        }
        return masks;
    }

    private int IndexOf(int id)
    {
        int index = _named.FindIndex(o => o.Id == id);
        return index >= 0 ? index : throw new PromptException($"This stream follows no object {id}.");
    }

    /// <summary>Begins what is done on a frame; dispose the result to end it.</summary>
    internal SessionGate.Entry EnterFrame(CancellationToken cancellation)
    {
        SessionGate.Entry gate = Gate.Enter(this);
        try
        {
            ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
            cancellation.ThrowIfCancellationRequested();
            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }

    /// <summary>Refuses a frame of another size.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="number">Its number, for the message.</param>
    internal void CheckSize(ImageView frame, long number)
    {
        PixelSize.Check(frame.Width, frame.Height, "The frame");
        if (frame.Width != _shown.Width || frame.Height != _shown.Height)
        {
            throw new MediaException($"Frame {number} is {frame.Width}×{frame.Height}, the frames shown to the language model are "
                + $"{_shown.Width}×{_shown.Height}; begin a new session for another size.");
        }
    }

    /// <summary>Takes over what was read of the latest frame, which is kept.</summary>
    internal void Fill(FrameMasks masks)
    {
        masks.Frame = Frames - 1;
        for (int i = 0; i < masks.Objects.Count; i++) masks.Objects[i].Fill(_stream.Output!, _stream.Results!, i, _resampler);
    }

    /// <summary>
    /// Room for the masks of all objects, made before anything is computed: a frame that has been processed cannot fail for want of it.
    /// </summary>
    internal FrameMasks RoomForMasks()
    {
        FrameMasks masks = _reuseMasks
            ? _masks ??= new FrameMasks(_shown.Width, _shown.Height)
            : new FrameMasks(_shown.Width, _shown.Height);
        for (int i = masks.Objects.Count; i < _named.Count; i++)
            masks.Add(new ObjectMask(_named[i].Id, _shown.Width, _shown.Height, _named[i].Logits, _reuseMasks));
        return masks;
    }
}
