using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A checkpoint's folder that is written whole or not at all: until it is complete its files lie in a folder of another name, and that is
/// removed when writing fails or is cancelled.
/// </summary>
internal static class NewFolder
{
    /// <summary>Writes it.</summary>
    /// <param name="folder">Where it shall be; not there, or empty.</param>
    /// <param name="write">Writes the files into the folder that it is given.</param>
    /// <exception cref="CheckpointException">It holds files, or cannot be written.</exception>
    public static void Write(string folder, Action<string> write)
    {
        string? partial = null;
        bool complete = false;
        try
        {
            string whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
            bool existed = Directory.Exists(whole);
            if (File.Exists(whole) || (existed && Directory.EnumerateFileSystemEntries(whole).Any()))
                throw new CheckpointException($"'{folder}' holds files, which are not overwritten; give a new or an empty folder.");
            // Beside one that is not there yet. One that is there may be all that can be written, and another disk.
            string hidden = $"{Path.GetFileName(whole)}.{Path.GetRandomFileName()}.part";
            partial = Path.Combine(existed ? whole : Path.GetDirectoryName(whole) ?? whole, hidden);
            Directory.CreateDirectory(partial);
            write(partial);
            if (existed) MoveUp(partial, whole);
            else Directory.Move(partial, whole);
            complete = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{folder}' cannot be written: {FileTrouble.Cause(e)}; give another folder.", e);
        }
        finally
        {
            if (!complete && partial is not null) Remove(partial);
        }
    }

    // What makes a folder a checkpoint comes last.
    private static void MoveUp(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from).OrderBy(f => Path.GetFileName(f) == CheckpointFolder.ConfigFile).ToArray())
            File.Move(file, Path.Combine(to, Path.GetFileName(file)));
        Directory.Delete(from);
    }

    private static void Remove(string partial)
    {
        try
        {
            if (Directory.Exists(partial)) Directory.Delete(partial, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that led here says more than a folder that stays behind.
        }
    }
}
