using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>
/// What one picture or video leaves in a result folder: <c>masks/object-K/frame-NNNNN.png</c>, <c>overlays/frame-NNNNN.png</c>, and of a
/// video <c>overlay.webp</c>. Without <see cref="Finish"/> nothing of it stays.
/// </summary>
internal sealed class ResultPart : IDisposable
{
    /// <summary>How long a frame of a folder is shown.</summary>
    private static readonly TimeSpan DefaultDuration = TimeSpan.FromSeconds(1.0 / 24);

    /// <summary>Shorter frames of a GIF are shown by nobody as they say.</summary>
    private static readonly TimeSpan ShortestDuration = TimeSpan.FromMilliseconds(20);

    private readonly ResultFolder _results;
    private readonly VideoSource? _video;
    private readonly string _folder;
    private readonly FrameNames _names;
    private AnimatedWebP? _animation;
    private int _masks, _overlays;
    private bool _finished;

    /// <param name="results">Where it is put.</param>
    /// <param name="video">The video; null for a picture.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    /// <param name="names">How files are named.</param>
    public ResultPart(ResultFolder results, VideoSource? video, string folder, FrameNames names) =>
        (_results, _video, _folder, _names) = (results, video, folder, names);

    /// <summary>Why there is no animation of a video, or null.</summary>
    public string? AnimationProblem { get; private set; }

    /// <summary>Writes a frame's masks and overlay.</summary>
    /// <param name="frame">The frame; without a picture or objects nothing is written.</param>
    public void Add(SegmentedFrame frame)
    {
        if (frame.Image is { } image && frame.Objects.Count > 0) _results.Attempt(() => Add(frame, image));
    }

    /// <summary>Completes it: from now on it is part of the run.</summary>
    public void Finish()
    {
        if (_animation is { } animation) _results.Attempt(animation.Finish);
        _animation?.Dispose();
        _animation = null;
        _results.Count(_masks, _overlays);
        _finished = true;
    }

    /// <summary>Removes what was not finished.</summary>
    public void Dispose()
    {
        _animation?.Dispose();
        _animation = null;
        if (!_finished) _results.Discard(_folder);
    }

    private void Add(SegmentedFrame frame, RgbImage image)
    {
        string name = _names[frame.Index] + ".png";
        foreach (SegmentedObject o in frame.Objects)
        {
            MaskFile.Save(_results.Place(_folder, "masks", string.Create(CultureInfo.InvariantCulture, $"object-{o.Id}"), name), o.Mask);
            _masks++;
        }
        Mask[] masks = [.. frame.Objects.Select(o => o.Mask)];
        int[] ids = [.. frame.Objects.Select(o => o.Id)];
        string place = _results.Place(_folder, "overlays", name);
        if (_video is null) Overlay.SavePng(place, image, masks, ids);
        else
        {
            RgbImage overlay = Overlay.Draw(image, masks, ids);
            ImageFile.SavePng(place, overlay);
            Animate(overlay, frame.Index, _video);
        }
        _overlays++;
    }

    // An animation is a convenience: masks of a long video are not given up because it has outgrown its format.
    private void Animate(RgbImage overlay, int index, VideoSource video)
    {
        if (AnimationProblem is not null) return;
        try
        {
            if (_animation is null)
            {
                TimeSpan duration = video.Duration(0) ?? DefaultDuration;
                if (duration < ShortestDuration) duration = TimeSpan.FromMilliseconds(100);
                _animation = new AnimatedWebP(_results.Place(_folder, "overlay.webp"), overlay.Width, overlay.Height, duration);
            }
            _animation.Add(overlay);
        }
        catch (MediaException e) when (!FileTrouble.Is(e.InnerException))
        {
            AnimationProblem = $"There is no animated overlay: it ended at frame {index}. {e.Message}";
            _animation?.Dispose();
            _animation = null;
        }
    }
}
