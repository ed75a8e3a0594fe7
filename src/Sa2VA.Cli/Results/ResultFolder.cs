using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>
/// The folder that a command fills: <c>masks/object-K/frame-NNNNN.png</c>, <c>overlays/frame-NNNNN.png</c>, of a video
/// <c>overlay.webp</c>, and the list of them, <c>sa2va-run.json</c>. It holds one run: everything is written as it comes into a folder
/// whose name ends in <c>.part</c>, and takes the place of the former run's files by <see cref="Commit"/>; without that the former run
/// stays
/// as it is. Other files are left alone.
/// </summary>
internal sealed partial class ResultFolder : IDisposable
{
    /// <summary>How long a frame of a folder is shown.</summary>
    private static readonly TimeSpan DefaultDuration = TimeSpan.FromSeconds(1.0 / 24);

    /// <summary>Shorter frames of a GIF are shown by nobody as they say.</summary>
    private static readonly TimeSpan ShortestDuration = TimeSpan.FromMilliseconds(20);

    private readonly string _path, _staging;
    private readonly RunDescription _run;
    private readonly HashSet<string> _folders = [];
    private HashSet<string> _former = [];
    private AnimatedWebP? _animation;
    private bool _committed;

    /// <summary>Prepares the folder; nothing can be seen in its place yet.</summary>
    /// <param name="path">The folder; it and those above it are created when needed.</param>
    /// <param name="run">What the run is asked.</param>
    /// <exception cref="UsageException">It cannot be written, or it holds a list that is no run's.</exception>
    public ResultFolder(string path, RunDescription run)
    {
        (Path, _run) = (path, run);
        _path = Attempt(() => System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
        if (Attempt(() => File.Exists(_path) && File.ResolveLinkTarget(_path, returnFinalTarget: true) is { Exists: false }))
            throw new UsageException($"{Quoted.Of(path)} is a link to nothing; give a folder with --out.");
        if (File.Exists(_path)) throw new UsageException($"{Quoted.Of(path)} is a file; give a folder with --out.");
        // The nearest folder that exists: what fails leaves no new folders behind, and a folder that is there shows at once whether it can
        // be written.
        string above = _path;
        while (!Directory.Exists(above))
        {
            if (File.Exists(above)) throw CannotCreate($"{Quoted.Of(above)} is a file");
            above = System.IO.Path.GetDirectoryName(above) ?? throw CannotCreate($"there is no {Quoted.Of(above)}");
        }
        if (above == _path) _former = RunManifest.FilesOf(_path);
        _staging = System.IO.Path.Combine(above, $"{System.IO.Path.GetFileName(_path)}.{System.IO.Path.GetRandomFileName()}.part");
        Attempt(() => Directory.CreateDirectory(_staging));
    }

    /// <summary>The folder as given.</summary>
    public string Path { get; }

    /// <summary>How files are named.</summary>
    public FrameNames Names { get; init; } = FrameNames.ByIndex;

    /// <summary>Masks written so far.</summary>
    public int Masks { get; private set; }

    /// <summary>Overlays written so far.</summary>
    public int Overlays { get; private set; }

    /// <summary>What was written, in words.</summary>
    public string Written => $"{Plural.Of(Masks, "mask")} and {Plural.Of(Overlays, "overlay")}";

    /// <summary>Why there is no animation of a video, or null.</summary>
    public string? AnimationProblem { get; private set; }

    /// <summary>
    /// Refuses, before any work, a folder that holds what no run wrote where this one will write. How many objects there will be is not
    /// known yet; every object's folder is looked into.
    /// </summary>
    /// <param name="media">What will be written of.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    /// <exception cref="UsageException">Something is in the way.</exception>
    public void Expect(MediaInput media, string folder = "")
    {
        var names = new HashSet<string>(Enumerable.Range(0, media.Frames).Select(i => Names[i] + ".png"), RunManifest.Names);
        Attempt(() =>
        {
            if (folder.Length > 0) Enter(folder);
            foreach (string path in Within(Join(folder, "overlays"))) Check(path);
            foreach (string path in Within(Join(folder, "masks")))
                if (ObjectFolder().IsMatch(path[(path.LastIndexOf('/') + 1)..]))
                    foreach (string mask in Within(path)) Check(mask);
            if (media.Video is not null && System.IO.Path.Exists(At(Join(folder, "overlay.webp")))) Refuse(Join(folder, "overlay.webp"));
        });

        void Check(string path)
        {
            string name = path[(path.LastIndexOf('/') + 1)..];
            // What looks like frames of another run would be taken for this one's.
            if (names.Contains(name) || IndexedFrame().IsMatch(name)) Refuse(path);
        }
    }

    private void Refuse(string path)
    {
        // Another run may have finished since.
        if (!_former.Contains(path)) _former = RunManifest.FilesOf(_path);
        if (!_former.Contains(path) || Directory.Exists(At(path))) throw RunReplacement.InTheWay(At(path));
    }

    private IEnumerable<string> Within(string folder) => !Enter(folder) ? [] : Directory.EnumerateFileSystemEntries(At(folder))
        .Select(entry => Join(folder, System.IO.Path.GetFileName(entry)));

    // Files below a link would belong to somewhere else.
    private bool Enter(string folder)
    {
        var at = new DirectoryInfo(At(folder));
        if (at.LinkTarget is not null || File.Exists(at.FullName)) throw RunReplacement.InTheWay(at.FullName);
        return at.Exists;
    }

    private string At(string path) => System.IO.Path.Combine([_path, .. path.Split('/')]);

    private static string Join(string folder, string name) => folder.Length == 0 ? name : $"{folder}/{name}";

    [GeneratedRegex(@"^object-[0-9]+\z")]
    private static partial Regex ObjectFolder();

    [GeneratedRegex(@"^frame-[0-9]{5,}\.png\z")]
    private static partial Regex IndexedFrame();

    /// <summary>Writes a frame's masks and overlay.</summary>
    /// <param name="frame">The frame; without a picture nothing is written.</param>
    /// <param name="video">The video that it belongs to, or null.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    public void Add(SegmentedFrame frame, VideoSource? video, string folder = "")
    {
        if (frame.Image is { } image && frame.Objects.Count > 0) Attempt(() => Add(frame, image, video, folder));
    }

    private void Add(SegmentedFrame frame, RgbImage image, VideoSource? video, string folder)
    {
        string name = Names[frame.Index] + ".png";
        foreach (SegmentedObject o in frame.Objects)
        {
            MaskFile.Save(Place(folder, "masks", string.Create(CultureInfo.InvariantCulture, $"object-{o.Id}"), name), o.Mask);
            Masks++;
        }
        Mask[] masks = [.. frame.Objects.Select(o => o.Mask)];
        int[] ids = [.. frame.Objects.Select(o => o.Id)];
        string place = Place(folder, "overlays", name);
        if (video is null) Overlay.SavePng(place, image, masks, ids);
        else
        {
            RgbImage overlay = Overlay.Draw(image, masks, ids);
            ImageFile.SavePng(place, overlay);
            Animate(overlay, frame.Index, video, folder);
        }
        Overlays++;
    }

    /// <summary>Completes the animation, if there is one; another may begin.</summary>
    public void FinishAnimation()
    {
        if (_animation is { } animation) Attempt(animation.Finish);
        _animation?.Dispose();
        _animation = null;
    }

    /// <summary>Puts everything in its place.</summary>
    /// <exception cref="UsageException">That failed; the former run is as it was.</exception>
    public void Commit()
    {
        FinishAnimation();
        Attempt(() =>
        {
            if (!Directory.Exists(_path)) Directory.CreateDirectory(System.IO.Path.GetDirectoryName(_path)!);
            if (!MoveWhole()) RunReplacement.Do(_staging, _path, _run);
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

    // A new folder appears at once. Another run may have made it meanwhile.
    private bool MoveWhole()
    {
        if (Directory.Exists(_path)) return false;
        RunManifest.Write(_staging, _run, [.. ResultFiles.In(_staging)], complete: true);
        try
        {
            Directory.Move(_staging, _path);
            return true;
        }
        catch (IOException) when (Directory.Exists(_path))
        {
            File.Delete(System.IO.Path.Combine(_staging, RunManifest.FileName));
            return false;
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
                TimeSpan duration = video.Duration(0) ?? DefaultDuration;
                if (duration < ShortestDuration) duration = TimeSpan.FromMilliseconds(100);
                _animation = new AnimatedWebP(Place(folder, "overlay.webp"), overlay.Width, overlay.Height, duration);
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

    private string Place(params string[] parts)
    {
        string name = string.Join('/', parts.Where(p => p.Length > 0)), folder = System.IO.Path.Combine([.. parts[..^1]]);
        // Nothing was there when the run began.
        if (System.IO.Path.Exists(At(name))) Refuse(name);
        if (_folders.Add(folder))
        {
            for (string at = folder; at.Length > 0; at = System.IO.Path.GetDirectoryName(at)!) Enter(at);
            Attempt(() => Directory.CreateDirectory(System.IO.Path.Combine(_staging, folder)));
        }
        return System.IO.Path.Combine([_staging, .. parts]);
    }

    private UsageException CannotWrite(Exception e) =>
        new($"{Quoted.Of(Path)} cannot be written: {FileTrouble.Cause(e)}; give another folder with --out.", e);

    private UsageException CannotCreate(string why) => new($"{Quoted.Of(Path)} cannot be created: {why}; give another folder with --out.");

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
        catch (MediaException e) when (FileTrouble.Is(e.InnerException))
        {
            throw CannotWrite(e.InnerException!);
        }
        catch (Exception e) when (FileTrouble.Is(e))
        {
            throw CannotWrite(e);
        }
    }
}
