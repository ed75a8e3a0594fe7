using System.Reflection;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Commands;
using Sa2VA.Core;

namespace Sa2VA.Cli;

/// <summary>Reads the arguments, runs one command, and turns what went wrong into one line and an exit code.</summary>
internal sealed class CommandLine
{
    private const string Description = "Runs Sa2VA checkpoints: answers about images and videos, with masks of what the answer names.";
    private readonly Terminal _terminal;

    /// <param name="terminal">Streams and cancellation.</param>
    public CommandLine(Terminal terminal)
    {
        _terminal = terminal;
        Commands =
        [
            // Every command of the program: one line each.
            DemoCommand.Create(terminal),
            SegmentCommand.Create(terminal),
            ChatCommand.Create(terminal),
            DescribeCommand.Create(terminal),
            InspectCommand.Create(terminal),
            VerifyCommand.Create(terminal),
            BenchCommand.Create(terminal),
            SynthesizeCommand.Create(terminal),
        ];
    }

    /// <summary>The commands, in the order of help.</summary>
    internal IReadOnlyList<Command> Commands { get; }

    /// <summary>Reads a command line without running it.</summary>
    internal ParsedLine Parse(IReadOnlyList<string> args) => new CommandLineParser(Commands).Parse(args);

    /// <summary>Runs one command.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    public int Run(string[] args)
    {
        ParsedLine line = Parse(args);
        int code = Run(line);
        try
        {
            // What was not written completely is no success.
            _terminal.Out.Flush();
            _terminal.Error.Flush();
        }
        catch (StreamException e)
        {
            return Fail(e, ExitCode.BadInput, line);
        }
        return code == ExitCode.Success && (_terminal.Out.Failed || _terminal.Error.Failed) ? ExitCode.BadInput : code;
    }

    private int Run(ParsedLine line)
    {
        try
        {
            if (Print(line)) return ExitCode.Success;
            if (line.Error is { } error) throw new UsageException($"{error.Message} See `{Name(line)} --help`.");
            int code = line.Command!.Run(line.Values).GetAwaiter().GetResult();
            _terminal.Progress.Clear();
            return code;
        }
        catch (OperationCanceledException e) when (_terminal.Cancellation.IsCancellationRequested)
        {
            return Fail(new UsageException("Cancelled.", e), ExitCode.Cancelled, line);
        }
        catch (Sa2VAException e) when (e is not GraphException)
        {
            return Fail(e, ExitCode.BadInput, line);
        }
        catch (OutOfMemoryException e)
        {
            const string Message = "The memory of this machine does not suffice; `sa2va inspect` shows what a checkpoint needs.";
            return Fail(new DeviceException(Message, e), ExitCode.BadInput, line);
        }
        catch (Exception e)
        {
            return Fail(e, ExitCode.Bug, line);
        }
    }

    private static string Name(ParsedLine line) => line.Command is { } command ? $"sa2va {command.Name}" : "sa2va";

    private bool Print(ParsedLine line)
    {
        string? text = line.Help && line.Command is { } command ? HelpText.Of(command)
            : line.Help ? HelpText.Of(Description, Commands)
            : line.Version ? Version + "\n" : null;
        if (text is not null) _terminal.Out.Write(text);
        return text is not null;
    }

    private static string Version =>
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    // Nothing of this may throw: a stream that fails while an error is told leaves the other one and the exit code.
    private int Fail(Exception error, int code, ParsedLine line)
    {
        string message = Quoted.Line(code == ExitCode.Bug ? $"This is a bug in sa2va: {error.Message}" : error.Message);
        // A reader that has seen enough wants no comment.
        bool quiet = error is StreamException { ReaderHasGone: true };
        if (!quiet) Attempt(() => _terminal.Note($"sa2va: {message}"));
        if (line.Json) Attempt(() => new JsonLines(_terminal.Out).Error(message, code));
        bool stack = code == ExitCode.Bug || (line.Verbose && code != ExitCode.Cancelled);
        if (stack) Attempt(() => _terminal.Error.WriteLine(error.ToString()));
        return code;
    }

    private static void Attempt(Action action)
    {
        try
        {
            action();
        }
        catch (StreamException)
        {
            // The writer remembers it.
        }
    }
}
