using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>A standard stream cannot be read or written.</summary>
internal sealed class StreamException(string message, Exception inner) : Sa2VAException(message, inner)
{
    private const int BrokenPipe = 32;

    /// <summary>True if the reader of a pipe has gone, as <c>head</c> does when it has seen enough.</summary>
    public bool ReaderHasGone => !OperatingSystem.IsWindows() && InnerException is IOException { HResult: BrokenPipe };

    /// <summary>What went wrong, without the full stop.</summary>
    public static string Reason(Exception e) => e is ObjectDisposedException ? "it is closed" : FileTrouble.Cause(e);

    /// <summary>True for what the operating system says of a stream that is full, closed, or gone.</summary>
    public static bool IsFailure(Exception e) =>
        e is IOException or UnauthorizedAccessException or ObjectDisposedException or NotSupportedException;
}

/// <summary>
/// Standard output or error as a file: what cannot be written is an error, not lost. After the first error nothing more is tried, so that
/// the error can be reported through what still works.
/// </summary>
internal sealed class CheckedWriter(TextWriter inner, string name) : TextWriter
{
    private readonly Lock _lock = new();

    /// <summary>True after an error.</summary>
    public bool Failed { get; private set; }

    /// <inheritdoc/>
    public override Encoding Encoding => inner.Encoding;

    /// <inheritdoc/>
    public override void Write(char value) => Attempt(() => inner.Write(value));

    /// <inheritdoc/>
    public override void Write(char[] buffer, int index, int count) => Attempt(() => inner.Write(buffer, index, count));

    /// <inheritdoc/>
    public override void Write(string? value) => Attempt(() => inner.Write(value));

    /// <inheritdoc/>
    public override void WriteLine(string? value) => Attempt(() => inner.WriteLine(value));

    /// <inheritdoc/>
    public override void Flush() => Attempt(inner.Flush);

    private void Attempt(Action action)
    {
        lock (_lock)
        try
        {
            if (!Failed) action();
        }
        catch (Exception e) when (StreamException.IsFailure(e))
        {
            Failed = true;
            throw new StreamException($"Standard {name} cannot be written: {StreamException.Reason(e)}. Send it to where there is room.",
                e);
        }
    }
}

/// <summary>This process's standard streams. Text is UTF-8 whatever the machine's code page.</summary>
internal static class StandardStreams
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Standard output.</summary>
    public static TextWriter Output => Writer(Console.OpenStandardOutput, 1, Console.IsOutputRedirected);

    /// <summary>Standard error.</summary>
    public static TextWriter Error => Writer(Console.OpenStandardError, 2, Console.IsErrorRedirected);

    /// <summary>Standard input as text. Nothing is read before it is asked for.</summary>
    public static TextReader Input => Console.IsInputRedirected ? new StreamReader(Console.OpenStandardInput(), Utf8) : Console.In;

    /// <summary>Standard input as bytes.</summary>
    public static Stream OpenInput() => Console.OpenStandardInput();

    /// <summary>Makes a Windows terminal show UTF-8; elsewhere terminals do.</summary>
    public static void UseUtf8()
    {
        if (!OperatingSystem.IsWindows()) return;
        try
        {
            Console.OutputEncoding = Utf8;
        }
        catch (IOException)
        {
            // There is no terminal.
        }
    }

    private static StreamWriter Writer(Func<Stream> open, int descriptor, bool redirected) =>
        new(Stream(open, descriptor, redirected), Utf8) { AutoFlush = true };

    // The console's stream takes a pipe whose reader has gone for one that takes everything: a run would go on for hours for nobody. It
    // keeps its place for files, since it shares their offset with other writers.
    private static Stream Stream(Func<Stream> open, int descriptor, bool redirected)
    {
        if (OperatingSystem.IsWindows() || !redirected) return open();
        try
        {
            var stream = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            return stream.CanSeek ? open() : stream;
        }
        catch (Exception e) when (StreamException.IsFailure(e) || e is ArgumentException)
        {
            return open();
        }
    }
}
