using System.Text;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>A table that a command also writes to a file. Whether it can be written is found out before hours of computing.</summary>
internal sealed class SummaryFile : IDisposable
{
    private readonly string _path;
    private readonly AtomicFile _file;

    /// <param name="path">The file, as given with <c>--markdown</c>.</param>
    /// <exception cref="UsageException">It is a folder.</exception>
    public SummaryFile(string path)
    {
        if (Directory.Exists(path)) throw new UsageException($"{Quoted.Of(path)} is a folder; give a file with --markdown.");
        (_path, _file) = (path, new AtomicFile(path));
    }

    /// <summary>Writes the whole file and puts it in its place.</summary>
    /// <exception cref="UsageException">That failed; nothing is left behind.</exception>
    public void Write(string text)
    {
        try
        {
            _file.Stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException e)
        {
            throw new UsageException($"{Quoted.Of(_path)} cannot be written: {e.Message}", e);
        }
        _file.Commit();
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
