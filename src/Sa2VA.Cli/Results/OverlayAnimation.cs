using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>What a video's overlays are put together as.</summary>
internal enum AnimationKind
{
    /// <summary><c>overlay.webp</c>.</summary>
    WebP,

    /// <summary><c>overlay.mp4</c>, through ffmpeg.</summary>
    Mp4,

    /// <summary><c>overlay.webm</c>, through ffmpeg.</summary>
    WebM,

    /// <summary>Not at all.</summary>
    None,
}

/// <summary>
/// The overlays of a video as one moving picture, shown as the video is unless a rate is asked for. Of what is followed as it comes, each
/// is shown until the next one was taken.
/// </summary>
internal sealed class OverlayAnimation : IDisposable
{
    /// <summary>A camera that pauses for hours is not shown for hours.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    /// <summary>How many frames of a folder are shown in a second.</summary>
    private const double DefaultRate = 24;

    /// <summary>Shorter frames of a GIF are shown by nobody as they say.</summary>
    private static readonly TimeSpan ShortestDuration = TimeSpan.FromMilliseconds(20), ShownInstead = TimeSpan.FromMilliseconds(100);

    private readonly AnimatedWebP? _webP;
    private readonly VideoFile? _file;
    private readonly Func<int, TimeSpan?> _duration;
    private readonly double _rate;
    private TimeSpan? _latest;
    private TimeSpan _shown;

    /// <summary>Begins it.</summary>
    /// <param name="path">Where it will be.</param>
    /// <param name="content">As what.</param>
    /// <param name="overlay">Its size.</param>
    /// <param name="media">The video.</param>
    public OverlayAnimation(string path, ResultContent content, OverlayPainter overlay, MediaInput media)
    {
        double? asked = content.FramesPerSecond;
        VideoSource? video = media.Video;
        _duration = asked is null && video is not null ? i => Shown(video.Duration(i)) : _ => null;
        double rate = _rate = asked ?? video?.FramesPerSecond ?? (video is null ? DefaultRate : RateOf(media));
        if (content.Animation == AnimationKind.WebP)
            _webP = new AnimatedWebP(path, overlay.Width, overlay.Height, TimeSpan.FromSeconds(1 / rate));
        else _file = new VideoFile(path, overlay.Width, overlay.Height, rate, content.Ffmpeg);
    }

    /// <summary>The file's name.</summary>
    public static string NameOf(AnimationKind kind) => "overlay." + kind.ToString().ToLowerInvariant();

    /// <summary>Appends what is shown.</summary>
    /// <param name="overlay">The overlay.</param>
    /// <param name="index">The frame's number, from 0.</param>
    public void Add(OverlayPainter overlay, int index)
    {
        _webP?.Add(overlay, _duration(index));
        _file?.Add(overlay);
    }

    /// <summary>Appends what is shown of something that is followed as it comes.</summary>
    /// <param name="overlay">The overlay.</param>
    /// <param name="time">When the frame was taken.</param>
    public void Add(OverlayPainter overlay, TimeSpan time)
    {
        TimeSpan since = _latest is { } latest ? time - latest : TimeSpan.Zero;
        since = since < TimeSpan.Zero ? TimeSpan.Zero : since > LongestPause ? LongestPause : since;
        (_latest, _shown) = (time, _shown + since);
        _webP?.SetDuration(since);
        _webP?.Add(overlay);
        if (_file is null) return;
        // The one before stays until this one's turn; one that comes before its turn is left out.
        long turn = (long)Math.Round(_shown.TotalSeconds * _rate);
        while (_file.FrameCount > 0 && _file.FrameCount < turn) _file.Repeat();
        if (_file.FrameCount <= turn) _file.Add(overlay);
    }

    /// <summary>Completes it.</summary>
    public void Finish()
    {
        _webP?.Finish();
        _file?.Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _webP?.Dispose();
        _file?.Dispose();
    }

    // A video file has one rate: that at which the whole takes as long as the frames of a GIF do.
    private static double RateOf(MediaInput media)
    {
        TimeSpan whole = TimeSpan.Zero;
        for (int i = 0; i < media.Frames; i++)
        {
            if (Shown(media.Video!.Duration(i)) is not { } duration) return DefaultRate;
            whole += duration;
        }
        return Math.Clamp(media.Frames / whole.TotalSeconds, 0.01, 1000);
    }

    private static TimeSpan? Shown(TimeSpan? duration) => duration < ShortestDuration ? ShownInstead : duration;
}
