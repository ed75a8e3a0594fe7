using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation about a video, and the video itself as a stream: questions name objects, frames go in one at a time, masks of all objects
/// come out. Each frame is encoded once for all objects, and memory does not grow with the stream. Questions and frames go on side by
/// side, a caller each: what an answer names, at any time, joins when the frame in work is through. A frame that fails or is cancelled is
/// skipped: the stream goes on as if it had never been pushed. Frames may have any size, and each another one: masks have the frame's.
/// </summary>
public sealed partial class VideoSession : ChatSession
{
    private IReadOnlyList<RgbImage> _tiles;
    private readonly ObjectStream _stream;

    internal VideoSession(Sa2VAModel model, IReadOnlyList<RgbImage> tiles, VideoOptions options)
        : base(model, tiles.Count == 0 ? null : ImageTokens.Of(model, tiles))
    {
        (_tiles, Options) = (tiles, options);
        try
        {
            _stream = new ObjectStream(model.Segmentation, options);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>As it was opened.</summary>
    public VideoOptions Options { get; }

    /// <summary>Frames processed.</summary>
    public long Frames => _stream.Frames;

    /// <summary>Objects that the stream follows.</summary>
    public int ObjectCount => _stream.Count;

    /// <summary>How often the image encoder has run: once per frame, and for a frame that was encoded ahead and then given up.</summary>
    public long EncoderRuns => _stream.Video.EncoderRuns;

    private protected override bool IsVideo => true;

    /// <summary>Processes the next frame.</summary>
    /// <inheritdoc cref="Next(ImageView, CancellationToken)"/>
    public FrameMasks Next(RgbImage frame, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        return Next(frame.View, cancellation);
    }

    /// <summary>Processes the next frame from memory of the caller, as a camera gives it.</summary>
    /// <param name="frame">Of any size.</param>
    /// <param name="cancellation">Stops between two ops; the frame is then skipped.</param>
    /// <returns>All objects on it, with masks of their own unless <see cref="VideoOptions.ReuseMasks"/> is set.</returns>
    /// <exception cref="MediaException">It is no picture: a default <see cref="ImageView"/>.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; the frame is then skipped.</exception>
    /// <exception cref="SessionBusyException">Another frame, prompt or removal is in work.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public FrameMasks Next(ImageView frame, CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = EnterFrame(cancellation);
        long began = Sa2VATelemetry.BeginFrame();
        FrameMasks masks = _stream.Next(frame, cancellation);
        Sa2VATelemetry.EndFrame(began, Model, masks.Objects.Count);
        return masks;
    }

    /// <summary>
    /// Processes frames as they come; no thread waits meanwhile. A frame is encoded while objects are tracked on the one before it, so
    /// <paramref name="frames"/> is asked for it before that one's masks are returned; one that was taken and not returned is skipped.
    /// Questions may be asked at any time.
    /// </summary>
    /// <param name="frames">Frames of any size.</param>
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
    /// No frame was processed yet, the prompt does not fit the frame or was made for another one (<see cref="VisualPrompt.Frame"/>), the
    /// mask is empty, or there are too many objects.
    /// </exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite; the object has then not joined.</exception>
    /// <exception cref="SessionBusyException">Another frame, prompt or removal is in work.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public int Follow(VisualPrompt prompt, out FrameMasks masks, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        using SessionGate.Entry gate = EnterFrame(cancellation);
        int id = _stream.Follow(prompt, NextObject, cancellation);
        masks = _stream.NewestMasks();
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
    /// No frame was processed yet, the object is not known, or the prompt does not fit the frame or was made for another one
    /// (<see cref="VisualPrompt.Frame"/>).
    /// </exception>
    /// <inheritdoc cref="Follow"/>
    public FrameMasks Correct(int id, VisualPrompt prompt, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        using SessionGate.Entry gate = EnterFrame(cancellation);
        _stream.Correct(id, prompt, cancellation);
        return _stream.NewestMasks();
    }

    /// <summary>
    /// Has an object leave: later frames have no mask of it, and what it remembered makes room for others, whose masks do not change.
    /// </summary>
    /// <param name="id">The object's number.</param>
    /// <exception cref="PromptException">The session has no such object.</exception>
    /// <exception cref="SessionBusyException">Another frame, prompt or removal is in work.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public void Remove(int id)
    {
        CheckLive();
        using SessionGate.Entry gate = Gate.Enter(this, SessionPart.Stream);
        _stream.Remove(id);
    }

    private protected override void CheckQuestion()
    {
        if (Tiles.Count > 0) return;
        throw new PromptException("The language model was shown no frame of this video, so it cannot be asked about it: open the video "
            + "with OpenVideo and frames for the language model, or show objects by clicks, boxes and masks.");
    }

    private protected override async Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs,
        Question question)
    {
        int conditioning = Math.Min(Tiles.Count, SegmentationModel.LanguageFrames);
        var tracks = new List<ObjectTrack>();
        try
        {
            foreach (SegVector seg in segs)
            {
                var prompt = new ObjectPrompt(Model.Segmentation, seg.Buffer, seg.Written);
                tracks.Add(new ObjectTrack(Model.Segmentation, prompt, conditioning, question.Cancellation));
            }
            foreach (AnswerObject o in objects) question.Tell(new ObjectUpdate(o));
            await question.SettleAsync().ConfigureAwait(false);
        }
        catch
        {
            foreach (ObjectTrack track in tracks) track.Dispose();
            throw;
        }
        NamedObject[] names = [.. objects.Select(o => NamedObject.Of(o, o.Id, question.Options.Logits))];
        await Gate.BetweenFramesAsync(() => _stream.Join(tracks, names)).ConfigureAwait(false);
    }

    private protected override void DisposeFrames() => _stream?.Dispose();

    /// <summary>Begins what is done on a frame; dispose the result to end it.</summary>
    /// <param name="cancellation">Checked first.</param>
    /// <param name="part">What it has to do with.</param>
    internal SessionGate.Entry EnterFrame(CancellationToken cancellation, SessionPart part = SessionPart.Stream)
    {
        CheckLive();
        return Enter(part, cancellation);
    }

    /// <summary>Who pushes frames to the stream, alone; null if callers do.</summary>
    internal LiveVideo? Live;

    /// <summary>Frames in a row, up to the newest, on which an object that words named is lost.</summary>
    internal long LostFrames => _stream.LostFrames;

    /// <summary>Processes a frame of a live stream, into masks that others have had before, where they are to be reused.</summary>
    internal FrameMasks NextLive(FrameMasks? old, ImageView frame, CancellationToken cancellation)
    {
        using SessionGate.Entry gate = EnterFrame(cancellation);
        long began = Sa2VATelemetry.BeginFrame();
        FrameMasks masks = _stream.NextInto(old, frame, cancellation);
        Sa2VATelemetry.EndFrame(began, Model, masks.Objects.Count);
        return masks;
    }

    private void CheckLive()
    {
        if (Live is { IsCaller: false })
            throw new SessionBusyException(
                "This stream is live: push frames through its LiveVideo, and do the rest by its BetweenFramesAsync.");
    }
}
