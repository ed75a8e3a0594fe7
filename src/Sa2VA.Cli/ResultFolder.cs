using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>
/// The folder that a command fills: <c>masks/object-K/frame-NNNNN.png</c>, <c>overlays/frame-NNNNN.png</c> and, of a video,
/// <c>overlay.webp</c>. Everything is written as it comes into a folder whose name ends in <c>.part</c>, and put in its place by
/// <see cref="Commit"/>; without that nothing stays. Files of the same names are replaced, others are left alone.
/// </summary>
internal sealed class ResultFolder : IDisposable
{
    /// <summary>How long a frame of a folder is shown.</summary>
    private static readonly TimeSpan DefaultDuration = TimeSpan.FromSeconds(1.0 / 24);

    /// <summary>Shorter frames of a GIF are shown by nobody as they say.</summary>
    private static readonly TimeSpan ShortestDuration = TimeSpan.FromMilliseconds(20);

    private readonly string _path, _staging;
    private AnimatedWebP? _animation;
    private bool _committed;

    /// <summary>Prepares the folder; nothing can be seen in its place yet.</summary>
    /// <param name="path">The folder; it and those above it are created when needed.</param>
    /// <exception cref="UsageException">It cannot be written.</exception>
    public ResultFolder(string path)
    {
        Path = path;
        if (path.Length == 0) throw new UsageException("--out is empty; give a folder.");
        _path = Attempt(() => System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
        if (File.Exists(_path)) throw new UsageException($"'{path}' is a file; give a folder with --out.");
        // The nearest folder that exists: what fails leaves no new folders behind, and a folder that is there shows at once whether it can be written.
        string above = _path;
        while (!Directory.Exists(above))
        {
            if (File.Exists(above)) throw new UsageException($"'{path}' cannot be created: '{above}' is a file; give another folder with --out.");
            above = System.IO.Path.GetDirectoryName(above) ?? throw new UsageException($"'{path}' cannot be created: there is no '{above}'; give another folder with --out.");
        }
        _staging = System.IO.Path.Combine(above, $"{System.IO.Path.GetFileName(_path)}.{System.IO.Path.GetRandomFileName()}.part");
        Attempt(() => Directory.CreateDirectory(_staging));
    }

    /// <summary>The folder as given.</summary>
    public string Path { get; }

    /// <summary>Masks written so far.</summary>
    public int Masks { get; private set; }

    /// <summary>Overlays written so far.</summary>
    public int Overlays { get; private set; }

    /// <summary>Why there is no animation of a video, or null.</summary>
    public string? AnimationProblem { get; private set; }

    /// <summary>Writes a frame's masks and overlay.</summary>
    /// <param name="frame">The frame; without a picture nothing is written.</param>
    /// <param name="video">The video that it belongs to, or null.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    public void Add(SegmentedFrame frame, VideoSource? video, string folder = "")
    {
        if (frame.Image is not { } image || frame.Objects.Count == 0) return;
        string name = string.Create(CultureInfo.InvariantCulture, $"frame-{frame.Index:D5}.png");
        foreach (SegmentedObject o in frame.Objects)
        {
            MaskFile.Save(Place(folder, "masks", string.Create(CultureInfo.InvariantCulture, $"object-{o.Id}"), name), o.Mask);
            Masks++;
        }
        RgbImage overlay = Overlay.Draw(image, [.. frame.Objects.Select(o => o.Mask)], [.. frame.Objects.Select(o => o.Id)]);
        ImageFile.SavePng(Place(folder, "overlays", name), overlay);
        Overlays++;
        if (video is not null) Animate(overlay, frame.Index, video, folder);
    }

    /// <summary>Completes the animation, if there is one; another may begin.</summary>
    public void FinishAnimation()
    {
        _animation?.Finish();
        _animation?.Dispose();
        _animation = null;
    }

    /// <summary>Puts everything in its place.</summary>
    /// <exception cref="UsageException">That failed.</exception>
    public void Commit()
    {
        FinishAnimation();
        Attempt(() =>
        {
            if (Directory.Exists(_path)) Merge(_staging, _path);
            else
            {
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(_path)!);
                Directory.Move(_staging, _path);
            }
        });
        _committed = true;
    }

    /// <summary>Removes what was not committed.</summary>
    public void Dispose()
    {
        _animation?.Dispose();
        _animation = null;
        try
        {
            if (!_committed && Directory.Exists(_staging)) Directory.Delete(_staging, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing more can be done from here; the name ends in .part.
        }
    }

    // An animation is a convenience: masks of a long video are not given up because it has outgrown its format.
    private void Animate(RgbImage overlay, int index, VideoSource video, string folder)
    {
        if (AnimationProblem is not null) return;
        try
        {
            if (_animation is null)
            {
                TimeSpan duration = video.Duration(0) is { } d ? (d < ShortestDuration ? TimeSpan.FromMilliseconds(100) : d) : DefaultDuration;
                _animation = new AnimatedWebP(Place(folder, "overlay.webp"), overlay.Width, overlay.Height, duration);
            }
            _animation.Add(overlay);
        }
        catch (MediaException e)
        {
            AnimationProblem = $"There is no animated overlay: it ended at frame {index}. {e.Message}";
            _animation?.Dispose();
            _animation = null;
        }
    }

    private string Place(params string[] parts)
    {
        string file = System.IO.Path.Combine([_staging, .. parts]);
        Attempt(() => Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!));
        return file;
    }

    private static void Merge(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string folder in Directory.EnumerateDirectories(from)) Merge(folder, System.IO.Path.Combine(to, System.IO.Path.GetFileName(folder)));
        foreach (string file in Directory.EnumerateFiles(from)) File.Move(file, System.IO.Path.Combine(to, System.IO.Path.GetFileName(file)), overwrite: true);
        Directory.Delete(from);
    }

    private void Attempt(Action action) => Attempt(() =>
    {
        action();
        return true;
    });

    private T Attempt<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new UsageException($"'{Path}' cannot be written: {e.Message} Give another folder with --out.", e);
        }
    }
}
