using System.Text;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>What a command also writes to a file. Whether it can be written is found out before hours of computing.</summary>
internal sealed class SummaryFile : IDisposable
{
    private readonly string _path, _option;
    private readonly AtomicFile _file;

    /// <param name="path">The file, as given.</param>
    /// <param name="option">The option that it was given with.</param>
    /// <exception cref="UsageException">It is a folder.</exception>
    public SummaryFile(string path, string option = "--markdown")
    {
        if (Directory.Exists(path)) throw new UsageException($"{Quoted.Of(path)} is a folder; give a file with {option}.");
        (_path, _option) = (path, option);
        _file = Attempt(() => new AtomicFile(path));
    }

    /// <summary>Writes the whole file and puts it in its place.</summary>
    /// <exception cref="UsageException">That failed; nothing is left behind.</exception>
    public void Write(string text) => Attempt(() =>
    {
        _file.Stream.Write(Encoding.UTF8.GetBytes(text));
        _file.Commit();
        return true;
    });

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private T Attempt<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (FileTrouble.Is(e is MediaException ? e.InnerException : e))
        {
            string cause = FileTrouble.Cause(e is MediaException ? e.InnerException! : e);
            throw new UsageException($"{Quoted.Of(_path)} cannot be written: {cause}; give another file with {_option}.", e);
        }
    }
}
