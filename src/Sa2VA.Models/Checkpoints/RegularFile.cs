namespace Sa2VA.Models;

/// <summary>
/// Opens files that belong to a folder. Opening a pipe waits, past all signals, for someone who writes to it, and a device may never
/// end; both show no length, and what shows none is not opened.
/// </summary>
internal static class RegularFile
{
    /// <summary>Opens for reading.</summary>
    /// <param name="path">The file, or a link to it.</param>
    /// <param name="buffer">Bytes of the stream's buffer; 0 or 1 for none.</param>
    /// <param name="options">How it will be read.</param>
    /// <exception cref="FileNotFoundException">There is none, or a link leads to nothing.</exception>
    /// <exception cref="IOException">It has no bytes, is no regular file, or cannot be opened.</exception>
    public static FileStream Open(string path, int buffer = 1, FileOptions options = FileOptions.None)
    {
        if (HasNoBytes(path))
            throw new IOException(
                "it is empty (0 bytes), or it is a pipe or a device; a regular file is needed, copy or download it again");
        return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, buffer, options);
    }

    /// <summary>The whole content of a small file; exceptions as for <see cref="Open"/>.</summary>
    public static byte[] ReadAllBytes(string path)
    {
        using FileStream stream = Open(path);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    // What is missing or a folder is left to opening, which tells at once.
    private static bool HasNoBytes(string path)
    {
        var file = new FileInfo(path);
        if (file.LinkTarget is { } target) file = new FileInfo(End(file, target).FullName);
        return file.Exists && file.Length == 0;
    }

    // A link under /proc, such as a shell's <(…), may lead to a pipe that has no path: "pipe:[1234]".
    private static FileSystemInfo End(FileInfo link, string target)
    {
        FileSystemInfo? end;
        try
        {
            end = link.ResolveLinkTarget(returnFinalTarget: true);
            if (end is { Exists: true }) return end;
        }
        catch (IOException e) when (e is not (FileNotFoundException or DirectoryNotFoundException))
        {
            throw new FileNotFoundException($"it is a link to '{target}', which leads in a circle", e);
        }
        if (end?.Name.StartsWith("pipe:[", StringComparison.Ordinal) == true)
            throw new IOException("it is a pipe; a regular file is needed, write it to one");
        throw new FileNotFoundException($"it is a link to '{target}', which is not there");
    }
}
