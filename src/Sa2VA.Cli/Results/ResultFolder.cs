using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>
/// The folder that a command fills, with a list of what is in it, <c>sa2va-run.json</c>. It holds one run: everything is written as it
/// comes into a folder whose name ends in <c>.part</c>, and appears at once by <see cref="Commit"/>. Where a run is already, the new one
/// goes into a folder beside it with a number behind its name, or takes the place of its files if that was asked for. Other files are left
/// alone.
/// </summary>
internal sealed partial class ResultFolder : IDisposable
{
    private readonly string _given, _staging;
    private readonly RunDescription _run;
    private readonly bool _overwrite;
    private readonly HashSet<string> _folders = [];
    private string _path;
    private HashSet<string> _former = [];
    private readonly BackgroundWriter _writer;
    private readonly List<ResultPart> _open = [];
    private bool _committed;
    private Exception? _undiscarded;

    /// <summary>Prepares the folder; nothing can be seen in its place yet.</summary>
    /// <param name="path">The folder; it and those above it are created when needed.</param>
    /// <param name="run">What the run is asked.</param>
    /// <param name="overwrite">True to take the place of a former run; false to go beside it.</param>
    /// <param name="content">What is written of each frame.</param>
    /// <param name="cancellation">Ends waiting for files that are written.</param>
    /// <exception cref="UsageException">It cannot be written, or it holds a list that is no run's.</exception>
    public ResultFolder(string path, RunDescription run, bool overwrite, ResultContent content, CancellationToken cancellation = default)
    {
        (_given, Path, _run, _overwrite, Content) = (path, path, run, overwrite, content);
        _path = Attempt(() => System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path)));
        if (Attempt(() => File.Exists(_path) && File.ResolveLinkTarget(_path, returnFinalTarget: true) is { Exists: false }))
            throw new UsageException($"{Quoted.Of(path)} is a link to nothing; give a folder with --out.");
        if (File.Exists(_path)) throw new UsageException($"{Quoted.Of(path)} is a file; give a folder with --out.");
        if (RunManifest.Exists(_path))
        {
            _former = RunManifest.FilesOf(_path);
            if (!overwrite) MoveOn();
        }
        // The nearest folder that exists: what fails leaves no new folders behind, and a folder that is there shows at once whether it can
        // be written.
        string above = _path;
        while (!Directory.Exists(above))
        {
            if (File.Exists(above)) throw CannotCreate($"{Quoted.Of(above)} is a file");
            above = System.IO.Path.GetDirectoryName(above) ?? throw CannotCreate($"there is no {Quoted.Of(above)}");
        }
        _staging = System.IO.Path.Combine(above, $"{System.IO.Path.GetFileName(_path)}.{System.IO.Path.GetRandomFileName()}.part");
        Attempt(() => Directory.CreateDirectory(_staging));
        _writer = new BackgroundWriter(cancellation);
    }

    /// <summary>The folder as given, or the one beside it.</summary>
    public string Path { get; private set; }

    /// <summary>What is written of each frame.</summary>
    public ResultContent Content { get; }

    /// <summary>What finished parts wrote; to be looked at once all is written.</summary>
    public WrittenFiles Written { get; } = new();

    /// <summary>Parts that are finished and written; to be counted once all is written.</summary>
    public int Parts { get; private set; }

    /// <summary>Why there is no animation of a video, once all is written; null if there is none to be missed.</summary>
    public string? AnimationProblem { get; internal set; }

    /// <summary>The files of the whole run, where any were asked for and something was written.</summary>
    internal RunJson? Json { get; private set; }

    /// <summary>Begins writing what a picture or video gives.</summary>
    /// <param name="media">The picture or video.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    /// <param name="names">How files are named.</param>
    public ResultPart Begin(MediaInput media, string folder, FrameNames names)
    {
        var part = new ResultPart(this, media, folder, names);
        lock (_open) _open.Add(part);
        return part;
    }

    /// <summary>
    /// Refuses, before any work, a folder that holds what no run wrote where this one will write. How many objects there will be is not
    /// known yet; every object's folder is looked into.
    /// </summary>
    /// <param name="frames">Frames that will be written.</param>
    /// <param name="isVideo">True if there will be an animation.</param>
    /// <param name="folder">Subfolder; empty for the folder itself.</param>
    /// <param name="names">How files are named.</param>
    /// <exception cref="UsageException">Something is in the way.</exception>
    public void Expect(int frames, bool isVideo, string folder, FrameNames names)
    {
        var files = new HashSet<string>(Enumerable.Range(0, frames).Select(i => names[i] + ".png"), RunManifest.Names);
        Attempt(() =>
        {
            if (folder.Length > 0) Enter(folder);
            foreach (string of in (string[])["overlays", "davis"])
                foreach (string path in Within(Join(folder, of))) Check(path);
            foreach (string of in (string[])["masks", "soft", "cutouts"])
                foreach (string path in Within(Join(folder, of)))
                    if (ObjectFolder().IsMatch(path[(path.LastIndexOf('/') + 1)..]))
                        foreach (string mask in Within(path)) Check(mask);
            if (isVideo && Content.Overlay is not null && Content.Animation != AnimationKind.None)
                CheckFile(Join(folder, OverlayAnimation.NameOf(Content.Animation)));
            foreach (string file in RunJson.Names(Content)) CheckFile(file);
        });

        void CheckFile(string path)
        {
            if (System.IO.Path.Exists(At(path))) Refuse(path);
        }

        void Check(string path)
        {
            string name = path[(path.LastIndexOf('/') + 1)..];
            // What looks like frames of another run would be taken for this one's.
            if (files.Contains(name) || IndexedFrame().IsMatch(name)) Refuse(path);
        }
    }

    /// <summary>Waits until all is written.</summary>
    /// <exception cref="UsageException">Something could not be written.</exception>
    public void Complete() => _writer.Complete();

    /// <summary>The same, whatever may have failed; what was not finished is not part of the run.</summary>
    public void Settle() => _writer.Settle();

    /// <summary>Puts everything that is finished in its place, once it is written.</summary>
    /// <exception cref="UsageException">That failed; a former run is as it was.</exception>
    public void Commit()
    {
        Complete();
        foreach (ResultPart part in _open)
        {
            part.Close();
            Discard(part.Folder);
        }
        _open.Clear();
        if (_undiscarded is not null) throw CannotWrite(_undiscarded);
        Attempt(() =>
        {
            Json?.Finish();
            if (!Directory.Exists(_path)) Directory.CreateDirectory(System.IO.Path.GetDirectoryName(_path)!);
            // Another run may have come to the same place meanwhile.
            while (!MoveWhole() && !RunReplacement.Do(_staging, _path, _run, _overwrite)) MoveOn();
        });
        _committed = true;
    }

    /// <summary>Removes what was not committed.</summary>
    public void Dispose()
    {
        _writer.Stop();
        lock (_open)
            foreach (ResultPart part in _open) part.Interrupt();
        _writer.Dispose();
        Json?.Dispose();
        foreach (ResultPart part in _open) part.Close();
        try
        {
            if (!_committed && Directory.Exists(_staging)) Directory.Delete(_staging, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing more can be done from here; the name ends in .part.
        }
    }

    /// <summary>Hands over work of a part, which is done on the folder's thread; waits while there is much.</summary>
    /// <exception cref="UsageException">Something that was handed over before could not be written.</exception>
    internal void Post(Action work) => _writer.Post(() =>
    {
        try
        {
            Attempt(() =>
            {
                if (Json is null && Content.Has(RunJson.Formats))
                {
                    Json = new RunJson(Content, name => Place(name));
                    foreach (string name in RunJson.Names(Content)) Written.Count(name, 0);
                }
                work();
            });
        }
        catch (MediaException e)
        {
            // It is found when another picture is in work, which has no part in it.
            throw new UsageException(e.Message, e);
        }
    });

    /// <summary>Takes over a part of which all is written.</summary>
    internal void Finished(ResultPart part)
    {
        Written.Add(part.Written);
        Parts++;
        lock (_open) _open.Remove(part);
    }

    /// <summary>Removes a subfolder that was written so far; of the folder itself, everything.</summary>
    private void Discard(string folder)
    {
        string path = System.IO.Path.Combine(_staging, folder);
        _folders.RemoveWhere(f => folder.Length == 0 || f == folder || f.StartsWith(folder + System.IO.Path.DirectorySeparatorChar,
            StringComparison.Ordinal));
        try
        {
            if (folder.Length > 0 && Directory.Exists(path)) Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It must not come to be taken for something that was finished.
            _undiscarded = e;
        }
    }

    /// <summary>The place of a file to be written, whose folder is made.</summary>
    /// <exception cref="UsageException">Something that no run wrote is where it would be put.</exception>
    internal string Place(params string[] parts)
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

    /// <summary>Does what may fail as files do.</summary>
    /// <exception cref="UsageException">It did; the message says what to do.</exception>
    private void Attempt(Action action) => Attempt(() =>
    {
        action();
        return true;
    });

    /// <summary>Goes on to the next folder beside the one that was given which is not there.</summary>
    private void MoveOn()
    {
        string full = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(_given));
        if (System.IO.Path.GetFileName(full).Length == 0)
            throw new UsageException($"{Quoted.Of(_given)} holds a run already; give another folder with --out, or --overwrite.");
        int number = 2;
        while (System.IO.Path.Exists(Numbered(full))) number++;
        string given = System.IO.Path.TrimEndingDirectorySeparator(_given);
        (_path, _former) = (Numbered(full), []);
        Path = System.IO.Path.GetFileName(given) == System.IO.Path.GetFileName(full) ? Numbered(given) : _path;

        string Numbered(string path) => FormattableString.Invariant($"{path}-{number}");
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

    private UsageException CannotWrite(Exception e) =>
        new($"{Quoted.Of(Path)} cannot be written: {FileTrouble.Cause(e)}; give another folder with --out.", e);

    private UsageException CannotCreate(string why) => new($"{Quoted.Of(Path)} cannot be created: {why}; give another folder with --out.");

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
