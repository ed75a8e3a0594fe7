using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Whole files and streams in memory, with a limit that is kept while reading: no length that a file or stream claims is trusted.
/// </summary>
internal static class FileContent
{
    /// <summary>The most bytes of a file.</summary>
    public const int MaxFileBytes = 1 << 30;

    /// <summary>The most bytes of what has no length beforehand: a pipe or a device.</summary>
    public const int MaxStreamBytes = 1 << 28;

    private const int FirstBytes = 1 << 16;

    /// <summary>Reads a file, or a pipe or device as far as its picture goes.</summary>
    /// <param name="path">The file.</param>
    /// <param name="member">True for a file of a folder, which must be a regular one.</param>
    /// <exception cref="MediaException">It cannot be read, is no picture by its first bytes, or has too many.</exception>
    public static ReadOnlyMemory<byte> Read(string path, bool member = false)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) throw new MediaException($"{path} is a folder, not a picture; a folder of frames is a video.");
        try
        {
            using FileStream stream = member
                ? RegularFile.Open(path) : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            return ReadAll(stream, path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new MediaException($"{path} cannot be read: {Reason(path, e)}.", e);
        }
    }

    /// <summary>Reads a stream from where it stands to the end of the picture, or a little further; else to its own end.</summary>
    /// <param name="stream">The stream; it stays open.</param>
    /// <param name="name">Begins messages.</param>
    /// <exception cref="MediaException">Reading fails, its first bytes are no picture's, or there are too many.</exception>
    public static ReadOnlyMemory<byte> Read(Stream stream, string name)
    {
        try
        {
            return ReadAll(stream, name);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ObjectDisposedException)
        {
            string reason = e is ObjectDisposedException ? "it is closed" : e.Message.TrimEnd('.');
            throw new MediaException($"{name} cannot be read: {reason}. Give it again from its start, or as a file.", e);
        }
    }

    /// <summary>The first bytes of a regular file; empty if there are none to be had.</summary>
    public static byte[] Start(string path)
    {
        try
        {
            using FileStream stream = RegularFile.Open(path);
            var start = new byte[ForeignFile.Looked];
            return start[..stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static ReadOnlyMemory<byte> ReadAll(Stream stream, string name)
    {
        long expected = stream.CanSeek ? stream.Length - stream.Position : 0, end = 0;
        if (expected > MaxFileBytes) throw TooLarge(name, MaxFileBytes);
        int limit = expected > 0 ? MaxFileBytes : MaxStreamBytes, length = 0;
        var bytes = new byte[FirstBytes];
        while (true)
        {
            if (length == bytes.Length)
            {
                // The length of a file is a fact, that of another stream a claim. One byte more shows the end without growing again.
                long size = stream is FileStream && expected >= bytes.Length ? expected + 1 : bytes.Length * 2L;
                Array.Resize(ref bytes, (int)Math.Min(limit + 1L, size));
            }
            int read = stream.Read(bytes, length, bytes.Length - length);
            length += read;
            if (length > limit) throw TooLarge(name, limit);
            // A pipe may stay open when the picture is over, and what can be no picture may never end.
            ReadOnlySpan<byte> content = bytes.AsSpan(0, length);
            if (read == 0 || Container.Ends(content, ref end)) return bytes.AsMemory(0, length);
            if (length >= ForeignFile.Looked && Container.FormatOf(content) is null)
                throw new MediaException(ForeignFile.Refusal(content, name));
        }
    }

    /// <summary>Why a file cannot be opened, without the full stop; the system's words name the path once more.</summary>
    private static string Reason(string path, Exception e)
    {
        if (e is UnauthorizedAccessException) return "its permissions do not allow it";
        if (new FileInfo(path).LinkTarget is { } target) return $"it is a link to '{target}', which leads to no file that can be read";
        if (e is FileNotFoundException && path.Contains('\ufffd')) return "its name is no valid UTF-8; rename it";
        return e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : FileTrouble.Cause(e);
    }

    private static MediaException TooLarge(string name, int limit) =>
        new($"{name} has more than the {limit >> 20} MiB that are accepted; shrink it, or cut an animation into parts.");
}
