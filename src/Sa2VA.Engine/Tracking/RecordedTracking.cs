using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>An object of a recorded video, and what says where it is.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Logits">True if its logits are wanted.</param>
/// <param name="Words">The [SEG] vector of what names it, by frame.</param>
/// <param name="Prompts">What was shown of it, in order.</param>
internal sealed record RecordedObject(int Id, bool Logits, IReadOnlyList<(int Frame, ReadOnlyMemory<float> Seg)> Words,
    IReadOnlyList<(int Frame, VisualPrompt Prompt)> Prompts)
{
    /// <summary>The frames that it is prompted on.</summary>
    public IEnumerable<int> Frames => Words.Select(w => w.Frame).Concat(Prompts.Select(p => p.Frame));
}

/// <summary>
/// One time that objects are followed through a recorded video: first they are prompted, then tracked frame by frame; the masks are those
/// that a session shows. What is remembered of tracked frames is forgotten when nothing attends to it any more.
/// </summary>
internal sealed class RecordedTracking : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly FrameReader _frames;
    private readonly IReadOnlyList<RecordedObject> _objects;
    private readonly VideoProtocol _protocol;
    private readonly CancellationToken _cancellation;
    private readonly OfflineTracking _tracking;
    private readonly MaskResampler _resampler;
    private MaskOutput? _output;
    private FrameMasks? _masks;
    private bool _reverse;

    /// <param name="model">Model.</param>
    /// <param name="frames">The video.</param>
    /// <param name="objects">What is followed.</param>
    /// <param name="protocol">How language is remembered.</param>
    /// <param name="report">Told how far a frame is; null for nobody.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public RecordedTracking(SegmentationModel model, FrameReader frames, IReadOnlyList<RecordedObject> objects, VideoProtocol protocol,
        Action<double>? report, CancellationToken cancellation)
    {
        (_model, _frames, _objects, _protocol, _cancellation) = (model, frames, objects, protocol, cancellation);
        _resampler = new MaskResampler(model.LowSide, model.Config.ImageSize);
        _tracking = new OfflineTracking(model, frame => frames.Read(frame, _reverse), binary: true, cancellation,
            report is null ? null : new FrameProgress(report));
        _tracking.Found += result => Add(result.Object, result.Frame);
        _tracking.Kept += Add;
    }

    /// <summary>How often the image encoder ran.</summary>
    public long EncoderRuns => _tracking.EncoderRuns;

    /// <summary>Prompts all objects that have a prompt on a frame.</summary>
    public void Prompt(int frame)
    {
        _cancellation.ThrowIfCancellationRequested();
        RgbImage picture = _frames.Read(frame, reverse: false);
        foreach (RecordedObject o in _objects)
        {
            foreach ((_, ReadOnlyMemory<float> seg) in o.Words.Where(w => w.Frame == frame))
                if (_protocol == VideoProtocol.Consistent) _tracking.LanguageMask(frame, o.Id, seg.Span);
                else _tracking.Language(frame, o.Id, seg.Span);
            foreach ((_, VisualPrompt prompt) in o.Prompts.Where(p => p.Frame == frame))
            {
                // The video may give another picture than it gave when the prompt was.
                prompt.Check(picture.Width, picture.Height);
                if (prompt.Mask is { } mask) _tracking.Give(frame, o.Id, mask);
                else _tracking.Point(frame, o.Id, Points(prompt, picture), prompt.Anew);
            }
        }
    }

    /// <summary>Tracks all objects on a frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="reverse">True if the video runs backwards.</param>
    /// <param name="start">Where that began.</param>
    public FrameMasks Track(int frame, bool reverse, int start)
    {
        _cancellation.ThrowIfCancellationRequested();
        _reverse = reverse;
        RgbImage picture = _frames.Read(frame, reverse);
        (int width, int height) = (picture.Width, picture.Height);
        FrameMasks masks = _masks = new FrameMasks(width, height) { Frame = frame };
        if (_output?.Size != (width, height))
        {
            _output?.Dispose();
            _output = null;
            _output = new MaskOutput(_model, [_tracking.Results], width, height);
        }
        _tracking.Step(frame, reverse);
        _tracking.Forget(frame, reverse, start);
        _masks = null;
        return masks;
    }

    public void Dispose()
    {
        _output?.Dispose();
        _tracking.Dispose();
    }

    private PointPrompt[] Points(VisualPrompt prompt, RgbImage picture) =>
        prompt.Points(picture.Width, picture.Height, _model.Config.ImageSize);

    private void Add(int id, int frame)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (!_tracking.Prediction.IsFinite())
            throw new NonFiniteException($"Frame {frame}, object {id}: the result is NaN or infinite.");
        if (_masks is null) return;
        _output!.BeginRead(0, _cancellation).Wait();
        var mask = new ObjectMask(id, _masks.Width, _masks.Height, _objects.First(o => o.Id == id).Logits);
        mask.Fill(_output, _tracking.Results, 0, _resampler);
        _masks.Add(mask);
    }
}
