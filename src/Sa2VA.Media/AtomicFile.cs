using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// A file that appears whole or not at all: written beside its place, renamed by <see cref="Commit"/>, deleted by <see cref="Dispose"/>
/// otherwise. An older file of that name stays until then.
/// </summary>
public sealed class AtomicFile : IDisposable
{
    private readonly string _path, _part;
    private readonly Lock _end = new();
    private FileStream? _stream;

    /// <summary>Opens the new file for writing.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <exception cref="MediaException">
    /// The folder does not exist or cannot be written to, or a pipe or a device has that name: it would be replaced, not written to.
    /// </exception>
    public AtomicFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            _path = EndOfLinks(System.IO.Path.GetFullPath(path));
            if (IsPipeOrDevice(_path)) throw new MediaException($"{path} is a pipe or a device; give the name of a file.");
            _part = $"{_path}.{System.IO.Path.GetRandomFileName()}.part";
            _stream = new FileStream(_part, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(path, e);
        }
    }

    /// <summary>Where it will be: its full path, at the end of links.</summary>
    internal string Path => _path;

    /// <summary>Where it is written, beside its place.</summary>
    internal string PartPath => _part;

    /// <summary>What is written so far; seekable. Closed by <see cref="Commit"/>.</summary>
    public Stream Stream => _stream ?? throw new ObjectDisposedException(nameof(AtomicFile));

    /// <summary>Writes a whole file.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <param name="content">All its bytes.</param>
    /// <exception cref="MediaException">It cannot be written; nothing is left behind.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        using var file = new AtomicFile(path);
        try
        {
            file.Stream.Write(content);
        }
        catch (IOException e)
        {
            throw CannotWrite(path, e);
        }
        file.Commit();
    }

    /// <summary>Closes the file and puts it in its place, over an older one.</summary>
    /// <exception cref="MediaException">That failed; nothing is left behind.</exception>
    /// <exception cref="ObjectDisposedException">It was committed or disposed of.</exception>
    public void Commit()
    {
        lock (_end)
        {
            try
            {
                Stream.Dispose();
                File.Move(_part, _path, overwrite: true);
                _stream = null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Discard();
                throw CannotWrite(_path, e);
            }
        }
    }

    // The link stays, what it leads to is replaced.
    private static string EndOfLinks(string path) =>
        new FileInfo(path) is { LinkTarget: not null } link && link.ResolveLinkTarget(returnFinalTarget: true) is { Exists: true } end
            ? end.FullName : path;

    // Both show no bytes, and unlike a file have no length that can be set. Opened for both ways, neither waits for the other end.
    private static bool IsPipeOrDevice(string path)
    {
        if (new FileInfo(path) is not { Exists: true, Length: 0 }) return false;
        try
        {
            using var there = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 1);
            there.SetLength(0);
            return false;
        }
        catch (Exception e) when (e is IOException or NotSupportedException)
        {
            return true;
        }
    }

    /// <summary>Deletes what was not committed. Errors of a full or vanished disk are not reported a second time.</summary>
    public void Dispose()
    {
        lock (_end) Discard();
    }

    /// <summary>The error of a file that cannot be written; the system's own words name the file beside its place.</summary>
    internal static MediaException CannotWrite(string path, Exception e)
    {
        string cause = Directory.Exists(path) ? "it is a folder" : FileTrouble.Cause(e);
        return new MediaException($"{path} cannot be written: {cause}; make room and folders for it, or give another path.", e);
    }

    private void Discard()
    {
        if (_stream is not { } stream) return;
        _stream = null;
        try
        {
            stream.Dispose();
        }
        catch (IOException)
        {
            // The bytes are thrown away anyway.
        }
        try
        {
            File.Delete(_part);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nothing more can be done from here.
        }
    }
}
