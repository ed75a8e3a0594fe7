namespace Sa2VA.Cli;

/// <summary>The <c>sa2va</c> command.</summary>
internal static class Program
{
    /// <summary>Runs the command in this process's console.</summary>
    public static int Main(string[] args)
    {
        using var signals = new Signals();
        StandardStreams.UseUtf8();
        // What telling an error needs is loaded while files can still be opened.
        new CheckedWriter(new StreamWriter(Stream.Null), "error").WriteLine(Quoted.Line("x"));
        var terminal = Terminal.OfProcess(signals.Cancellation);
        signals.Interrupt = () => terminal.Interrupt?.Invoke() == true;
        return Run(args, terminal);
    }

    /// <summary>Runs the command with the given streams.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    /// <param name="terminal">Streams and cancellation.</param>
    /// <returns>See <see cref="ExitCode"/>.</returns>
    public static int Run(string[] args, Terminal terminal) => new CommandLine(terminal).Run(args);

    /// <summary>Runs the command with writers that are no terminal.</summary>
    /// <inheritdoc cref="Run(string[], Terminal)"/>
    public static int Run(
        string[] args, TextWriter stdout, TextWriter stderr, TextReader? stdin = null, CancellationToken cancellation = default) =>
        Run(args, new Terminal(stdin ?? TextReader.Null, stdout, stderr, cancellation));
}
