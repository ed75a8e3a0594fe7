using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation about a recorded video, and objects that are followed through it, forwards, backwards or both ways: whose frames can be
/// read by number, in any order. Objects are named by questions, or shown on any frame; then the video is followed as often as wanted.
/// A live stream, or one of unknown length, is a <see cref="VideoSession"/>.
/// </summary>
public sealed class RecordedSession : ChatSession
{
    private readonly RecordedFrames _frames;
    private readonly int[] _prompted;
    private readonly int _start;
    private readonly List<RecordedObject> _objects = [];
    private readonly Lock _lock = new();

    internal RecordedSession(Sa2VAModel model, RecordedFrames frames, ImageTokens? picture, RecordedOptions options) : base(model, picture)
    {
        (_frames, Options) = (frames, options);
        _start = options.StartOf(FrameCount);
        _prompted = options.PromptedFrames(FrameCount, LanguageFrames);
    }

    /// <summary>As it was opened.</summary>
    public RecordedOptions Options { get; }

    /// <summary>Frames of the video.</summary>
    public int FrameCount => _frames.Count;

    /// <summary>The frames that the language model sees.</summary>
    public IReadOnlyList<int> LanguageFrames => _frames.Shown;

    /// <summary>Frames that come when the video is followed.</summary>
    public int TrackedFrames => Frames().Count();

    /// <summary>How many of them come first, backwards.</summary>
    public int BackwardFrames => Frames().Count(f => f.Reverse);

    /// <summary>How often the image encoder has run: once for each frame that was prompted or tracked on, each time.</summary>
    public long EncoderRuns { get; private set; }

    /// <summary>Objects that are followed.</summary>
    public int ObjectCount
    {
        get
        {
            lock (_lock) return _objects.Count;
        }
    }

    private protected override bool IsVideo => true;

    /// <summary>Has an object be followed that is shown on a frame by clicks, a box or a mask (docs/model/interactive.md).</summary>
    /// <param name="frame">The frame, from 0.</param>
    /// <param name="prompt">Where the object is on it.</param>
    /// <returns>The object's number.</returns>
    /// <exception cref="PromptException">
    /// There is no such frame, the prompt does not fit it, the mask is empty, or there are too many objects.
    /// </exception>
    /// <exception cref="MediaException">The frame cannot be read.</exception>
    /// <exception cref="SessionBusyException">The video is being followed.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public int Follow(int frame, VisualPrompt prompt)
    {
        using SessionGate.Entry gate = EnterPrompt(frame, prompt);
        if (prompt.Mask is { Area: 0 })
            throw new PromptException("An empty mask cannot begin an object: give a mask that has pixels inside, or a click or a box.");
        if (ObjectCount >= Options.MaxObjects)
        {
            throw new PromptException($"There would be too many objects: {ObjectCount} are followed, at most {Options.MaxObjects}. "
                + "Remove one, or raise RecordedOptions.MaxObjects.");
        }
        int id = NextObject();
        lock (_lock) _objects.Add(new RecordedObject(id, Options.Logits, [], [(frame, prompt)]));
        return id;
    }

    /// <summary>
    /// Corrects an object on a frame by clicks, a box or a mask before the video is followed: the frame is one that tracking begins with
    /// from then on. Clicks refine the mask that words or earlier prompts give there; on another frame they stand alone.
    /// </summary>
    /// <param name="id">The object's number.</param>
    /// <param name="frame">The frame, from 0.</param>
    /// <param name="prompt">Where the object is, and is not.</param>
    /// <exception cref="PromptException">There is no such frame or object, or the prompt does not fit the frame.</exception>
    /// <inheritdoc cref="Follow"/>
    public void Correct(int id, int frame, VisualPrompt prompt)
    {
        using SessionGate.Entry gate = EnterPrompt(frame, prompt);
        lock (_lock)
        {
            int index = IndexOf(id);
            _objects[index] = _objects[index] with { Prompts = [.. _objects[index].Prompts, (frame, prompt)] };
        }
    }

    /// <summary>Has an object be followed no longer; the others' masks do not change.</summary>
    /// <param name="id">The object's number.</param>
    /// <exception cref="PromptException">There is no such object.</exception>
    /// <exception cref="SessionBusyException">The video is being followed.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public void Remove(int id)
    {
        using SessionGate.Entry gate = Gate.Enter(this, SessionPart.Stream);
        lock (_lock) _objects.RemoveAt(IndexOf(id));
    }

    /// <summary>
    /// Follows all objects that there are through the video, with <see cref="RecordedOptions.Direction"/>; no thread of the caller's
    /// computes. Frames come in the order in which they are followed, each once, with its number: backwards the last one first, both ways
    /// first from the start back to frame 0, then from behind the start on. Without objects none comes. What is held does not grow with
    /// the video. Questions may be asked meanwhile; what they name is followed the next time.
    /// </summary>
    /// <param name="progress">
    /// Told after each frame, and within a frame how far it is, on the thread that computes, which waits for it; if it throws, following
    /// ends with that.
    /// </param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <returns>Masks per frame, each as soon as they are done.</returns>
    /// <exception cref="MediaException">A frame cannot be read.</exception>
    /// <exception cref="NonFiniteException">A result is NaN or infinite.</exception>
    /// <exception cref="SessionBusyException">The video is being followed already.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public async IAsyncEnumerable<FrameMasks> TrackAsync(IProgress<TrackProgress>? progress = null,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using SessionGate.Entry gate = Enter(SessionPart.Stream, cancellation);
        RecordedObject[] objects;
        lock (_lock) objects = [.. _objects];
        if (objects.Length == 0) yield break;
        (int Frame, bool Reverse)[] frames = [.. Frames()];
        int[] prompted = [.. objects.SelectMany(o => o.Frames).Distinct().Order()];
        int total = prompted.Length + frames.Length, done = 0;
        using var run = new RecordedTracking(Model.Segmentation, new FrameReader(_frames.Read), objects, Options.Protocol,
            progress is null ? null : part => progress.Report(new TrackProgress(done, total, part)), cancellation);
        try
        {
            foreach (int frame in prompted)
            {
                await Task.Run(() => run.Prompt(frame), cancellation).ConfigureAwait(false);
                progress?.Report(new TrackProgress(++done, total));
            }
            foreach ((int frame, bool reverse) in frames)
            {
                FrameMasks masks = await Task.Run(() => run.Track(frame, reverse, _start), cancellation).ConfigureAwait(false);
                progress?.Report(new TrackProgress(++done, total));
                yield return masks;
            }
        }
        finally
        {
            EncoderRuns += run.EncoderRuns;
        }
    }

    /// <summary>
    /// Another session about the video that has all that this one has: what was said, objects with their numbers and prompts. The video is
    /// read by both; what gives its frames may then be asked by two threads at a time. This session stays as it is.
    /// </summary>
    /// <inheritdoc cref="ChatSession.Fork"/>
    public override RecordedSession Fork()
    {
        using SessionGate.Entry gate = Enter(SessionPart.Chat);
        RecordedSession fork = TakeUp(new RecordedSession(Model, _frames, null, Options));
        lock (_lock) fork._objects.AddRange(_objects);
        return fork;
    }

    private protected override async Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs,
        Question question)
    {
        foreach (AnswerObject o in objects) question.Tell(new ObjectUpdate(o));
        await question.SettleAsync().ConfigureAwait(false);
        bool logits = question.Options.Logits;
        lock (_lock)
            _objects.AddRange(objects.Select(o => new RecordedObject(o.Id, logits, [.. _prompted.Select(f => (f, o.Embedding))], [])));
    }

    private protected override void DisposeFrames() { }

    private IEnumerable<(int Frame, bool Reverse)> Frames()
    {
        bool back = Options.Direction != TrackDirection.Forward, on = Options.Direction != TrackDirection.Backward;
        for (int t = _start; back && t >= 0; t--) yield return (t, true);
        for (int t = back ? _start + 1 : _start; on && t < FrameCount; t++) yield return (t, false);
    }

    private SessionGate.Entry EnterPrompt(int frame, VisualPrompt prompt)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        SessionGate.Entry gate = Enter(SessionPart.Stream);
        try
        {
            if ((uint)frame >= (uint)FrameCount)
                throw new PromptException($"Frame {frame} was asked for; the video has frames 0 to {FrameCount - 1}.");
            RgbImage picture = new FrameReader(_frames.Read).Read(frame, reverse: false);
            prompt.Check(picture.Width, picture.Height);
            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }

    private int IndexOf(int id)
    {
        int index = _objects.FindIndex(o => o.Id == id);
        return index >= 0 ? index : throw new PromptException($"There is no object {id}.");
    }
}

/// <summary>A recorded video, and what of it the language model sees.</summary>
/// <param name="Count">Frames.</param>
/// <param name="Read">Gives a frame by number.</param>
/// <param name="Shown">The frames that the language model sees.</param>
internal sealed record RecordedFrames(int Count, Func<int, RgbImage> Read, IReadOnlyList<int> Shown);
