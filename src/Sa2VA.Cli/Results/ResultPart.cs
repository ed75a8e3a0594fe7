using System.Runtime.ExceptionServices;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>
/// What one picture or video leaves in a result folder: a file for each frame, or each object on it, and of a video all overlays as one.
/// It is written on the folder's thread; without <see cref="Finish"/> nothing of it stays.
/// </summary>
internal sealed class ResultPart : IDisposable
{
    /// <summary>Files of a frame that are encoded at the same time: the model needs the other processors.</summary>
    private static readonly ParallelOptions Encoders = new() { MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount / 4, 1, 4) };

    private readonly ResultFolder _results;
    private readonly MediaInput _media;
    private readonly FrameNames _names;
    private readonly List<(string Name, int Width, int Height, ObjectResult[] Objects)> _held = [];
    private OverlayPainter? _painter;
    private OverlayAnimation? _animation;
    private bool _finished;
    private volatile bool _left, _hasGivenUp;

    /// <param name="results">Where it is put.</param>
    /// <param name="media">The picture or video.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    /// <param name="names">How files are named.</param>
    public ResultPart(ResultFolder results, MediaInput media, string folder, FrameNames names) =>
        (_results, _media, Folder, _names) = (results, media, folder, names);

    /// <summary>Subfolder; empty for the folder itself.</summary>
    public string Folder { get; }

    /// <summary>What was written so far.</summary>
    public WrittenFiles Written { get; } = new();

    /// <summary>Hands over a frame's masks and overlay; waits where more are handed over than can be written.</summary>
    /// <param name="frame">The frame; without a picture or objects it has no overlay.</param>
    public void Add(SegmentedFrame frame) => _results.Post(() =>
    {
        if (!_left) Write(frame);
    });

    /// <summary>Completes it: once it is written, it is part of the run.</summary>
    public void Finish()
    {
        _results.Post(Complete);
        _finished = true;
    }

    /// <summary>Has what was not finished removed.</summary>
    public void Dispose() => _left |= !_finished;

    /// <summary>Waits no longer for an encoder: the animation is left out, and all else is written.</summary>
    public void GiveUpAnimation()
    {
        _hasGivenUp = true;
        _animation?.Dispose();
    }

    /// <summary>Ends waiting for an encoder; what is in work fails.</summary>
    internal void Interrupt() => _animation?.Dispose();

    /// <summary>Closes the files of a part that is not finished; nothing is written meanwhile.</summary>
    internal void Close()
    {
        _animation?.Dispose();
        _painter?.Dispose();
        (_animation, _painter) = (null, null);
    }

    private void Complete()
    {
        try
        {
            if (_hasGivenUp && _animation is not null) LeaveOutAnimation();
            _animation?.Finish();
        }
        catch (Exception) when (_hasGivenUp)
        {
            LeaveOutAnimation();
        }
        Close();
        // A picture of several that fails is in no file of the run.
        foreach ((string name, int width, int height, ObjectResult[] objects) in _held) _results.Json!.Add(name, width, height, objects);
        _results.Finished(this);
    }

    private void Write(SegmentedFrame frame)
    {
        string name = _names[frame.Index] + ".png";
        List<Action> files = [.. MaskFiles(frame, name)];
        ObjectResult[] objects = [.. frame.Objects.Select(o => o.ToResult())];
        if (frame.Image is { } image && objects.Length > 0 && _results.Content.Overlay is { } style)
            files.AddRange(OverlayFiles(frame, image, objects, style, name));
        try
        {
            Parallel.ForEach(files, Encoders, write => write());
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }
        if (_results.Json is not { } json) return;
        if (Folder.Length > 0) _held.Add((frame.Source, _media.Width, _media.Height, objects));
        else json.Add(frame.Source, _media.Width, _media.Height, objects);
    }

    private IEnumerable<Action> MaskFiles(SegmentedFrame frame, string name)
    {
        if (Has(ResultFormats.Davis))
        {
            string path = _results.Place(Folder, "davis", name);
            Written.Count("label map");
            yield return () => LabelMapFile.Save(path, _media.Width, _media.Height, frame.Objects.Count == 0
                ? new byte[_media.Width * _media.Height]
                : LabelMapFile.Labels([.. frame.Objects.Select(o => (o.Id, o.Mask))]));
        }
        foreach (SegmentedObject o in frame.Objects)
        {
            string folder = FormattableString.Invariant($"object-{o.Id}");
            if (Has(ResultFormats.Png))
            {
                string path = _results.Place(Folder, "masks", folder, name);
                Written.Count("mask");
                yield return () => MaskFile.Save(path, o.Mask);
            }
            if (Has(ResultFormats.Soft))
            {
                string path = _results.Place(Folder, "soft", folder, name);
                Written.Count("soft mask");
                yield return () => SoftMaskFile.Save(path, o.Mask.Width, o.Mask.Height, o.Result!.Logits);
            }
            if (Has(ResultFormats.Cutout))
            {
                string path = _results.Place(Folder, "cutouts", folder, name);
                Written.Count("cut-out");
                yield return () => CutoutFile.Save(path, frame.Image!, o.Mask);
            }
        }
    }

    private IEnumerable<Action> OverlayFiles(SegmentedFrame frame, RgbImage image, ObjectResult[] objects, OverlayStyle style, string name)
    {
        _painter ??= new OverlayPainter(image.Width, image.Height, style);
        _painter.Show(image, objects);
        string path = _results.Place(Folder, "overlays", name);
        Written.Count("overlay");
        yield return () => _painter.SavePng(path);
        if (_media.Image is not null || _results.Content.Animation == AnimationKind.None) yield break;
        string animation = _results.Place(Folder, OverlayAnimation.NameOf(_results.Content.Animation));
        yield return () => Animate(animation, _painter, frame);
    }

    private bool Has(ResultFormats format) => _results.Content.Has(format);

    // A WebP is a convenience: masks of a long video are not given up because it has outgrown its format.
    private void Animate(string path, OverlayPainter overlay, SegmentedFrame frame)
    {
        if (_results.AnimationProblem is not null) return;
        try
        {
            _animation ??= new OverlayAnimation(path, _results.Content, overlay, _media);
            if (_media.Video is not null) _animation.Add(overlay, frame.Index);
            else _animation.Add(overlay, frame.Time ?? TimeSpan.Zero);
        }
        catch (Exception) when (_hasGivenUp)
        {
            LeaveOutAnimation();
        }
        catch (MediaException e) when (_results.Content.Animation == AnimationKind.WebP && !FileTrouble.Is(e.InnerException))
        {
            _results.AnimationProblem = $"There is no animated overlay: it ended at frame {frame.Index}. {e.Message}";
            _animation?.Dispose();
            _animation = null;
        }
    }

    private void LeaveOutAnimation()
    {
        _results.AnimationProblem = "There is no animated overlay: what writes it did not come to an end after the run was stopped.";
        _animation?.Dispose();
        _animation = null;
    }
}
