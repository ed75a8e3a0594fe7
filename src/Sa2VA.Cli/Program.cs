using System.Runtime.InteropServices;
using System.Text;

namespace Sa2VA.Cli;

/// <summary>The <c>sa2va</c> command.</summary>
internal static class Program
{
    /// <summary>Runs the command in this process's console.</summary>
    public static int Main(string[] args)
    {
        using var cancel = new CancellationTokenSource();
        // The first Ctrl+C stops in an orderly way; a second one ends the process, should that take too long.
        Console.CancelKeyPress += (_, e) =>
        {
            e.Cancel = !cancel.IsCancellationRequested;
            cancel.Cancel();
        };
        using PosixSignalRegistration? terminate = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = !cancel.IsCancellationRequested;
            cancel.Cancel();
        });
        // JSON lines are UTF-8 whatever the machine's code page.
        Console.OutputEncoding = new UTF8Encoding(false);
        return Run(args, Terminal.OfProcess(cancel.Token));
    }

    /// <summary>Runs the command with the given streams.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    /// <param name="terminal">Streams and cancellation.</param>
    /// <returns>See <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, Terminal terminal) => new CommandLine(terminal).Run(args);

    /// <summary>Runs the command with writers that are no terminal.</summary>
    /// <inheritdoc cref="Run(string[], Terminal)"/>
    public static int Run(string[] args, TextWriter stdout, TextWriter stderr, TextReader? stdin = null, CancellationToken cancellation = default) =>
        Run(args, new Terminal(stdin ?? TextReader.Null, stdout, stderr, cancellation));
}
