using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Commands;
using Sa2VA.Core;

namespace Sa2VA.Cli;

/// <summary>Reads the arguments, runs one command, and turns what went wrong into one line and an exit code.</summary>
internal sealed class CommandLine
{
    private readonly Terminal _terminal;
    private readonly RootCommand _root;
    private readonly Flag _verbose = new("--verbose", "Show the stack of an error.") { Recursive = true };

    /// <param name="terminal">Streams and cancellation.</param>
    public CommandLine(Terminal terminal)
    {
        _terminal = terminal;
        _root = new RootCommand("Runs Sa2VA checkpoints: answers about images and videos, with masks of what the answer names.")
        {
            // Every command of the program: one line each.
            DemoCommand.Create(terminal),
            SegmentCommand.Create(terminal),
            TrackCommand.Create(terminal),
            ChatCommand.Create(terminal),
            DescribeCommand.Create(terminal),
            InspectCommand.Create(terminal),
            VerifyCommand.Create(terminal),
            BenchCommand.Create(terminal),
            EvalCommand.Create(terminal),
            DoctorCommand.Create(terminal),
            QuantizeCommand.Create(terminal),
            SynthesizeCommand.Create(terminal),
        };
        _root.Directives.Clear();
        _root.Options.Clear();
        _root.Options.Add(_verbose);
        // Without the library's /h, which is a path.
        _root.Options.Add(new HelpOption("--help", "-h", "-?", "/?") { Description = "Show this text.", Action = new Printed(PrintHelp) });
        _root.Options.Add(new Flag("--version", "Show the version.") { Action = new Printed(_ => terminal.Out.WriteLine(Version)) });
    }

    /// <summary>The commands, in the order of help.</summary>
    internal IReadOnlyList<Command> Commands => [.. _root.Subcommands];

    /// <summary>Reads a command line without running it.</summary>
    internal ParseResult Parse(IReadOnlyList<string> args) => ArgumentReader.Parse(_root, args);

    /// <summary>Runs one command.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    public int Run(string[] args)
    {
        ParseResult line = Parse(args);
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

    private int Run(ParseResult line)
    {
        try
        {
            if (line.Action is not Printed && ArgumentReader.Problem(line) is { } problem)
                throw new UsageException($"{problem} See `{Name(line)} --help`.");
            int code = line.InvokeAsync(new InvocationConfiguration
            {
                Output = _terminal.Out, Error = _terminal.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
            }, _terminal.Cancellation).GetAwaiter().GetResult();
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
            return Fail(new DeviceMemoryException(Message, e), ExitCode.BadInput, line);
        }
        catch (Exception e) when (e is FileNotFoundException { FileName: { } part }
            && part.Contains(", Version=", StringComparison.Ordinal))
        {
            // Where few files may be open, the runtime says that it does not find what is there.
            const string Message = "A part of the program cannot be loaded: too few files may be open (allow more: ulimit -n 1024), "
                + "or it was deleted (build or install again).";
            return Fail(new UsageException(Message, e), ExitCode.BadInput, line);
        }
        catch (Exception e)
        {
            return Fail(e, ExitCode.Bug, line);
        }
    }

    private static string Name(ParseResult line) =>
        line.CommandResult.Command is RootCommand ? "sa2va" : $"sa2va {line.CommandResult.Command.Name}";

    private void PrintHelp(ParseResult line)
    {
        new HelpAction().Invoke(line);
        if (line.CommandResult.Command is not CliCommand command) return;
        _terminal.Out.WriteLine(command.Examples.Count > 1 ? "Examples:" : "Example:");
        foreach (string example in command.Examples) _terminal.Out.WriteLine("  " + example);
    }

    private static string Version =>
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    // Nothing of this may throw: a stream that fails while an error is told leaves the other one and the exit code.
    private int Fail(Exception error, int code, ParseResult line)
    {
        string message = Quoted.Line(code == ExitCode.Bug ? $"This is a bug in sa2va: {error.Message}" : error.Message);
        // A reader that has seen enough wants no comment.
        bool quiet = error is StreamException { ReaderHasGone: true };
        if (!quiet) Attempt(() => _terminal.Note($"sa2va: {message}"));
        if (AsksForJson(line)) Attempt(() => new JsonLines(_terminal.Out).Error(message, code));
        bool stack = code == ExitCode.Bug || (ArgumentReader.Has(line, _verbose) && code != ExitCode.Cancelled);
        if (stack) Attempt(() => _terminal.Error.WriteLine(error.ToString()));
        return code;
    }

    // Also where the command has no such option.
    private static bool AsksForJson(ParseResult line) => line.UnmatchedTokens.Contains(CommonOptions.Json)
        || line.CommandResult.Command.Options.Any(o =>
            o.Name == CommonOptions.Json && line.GetResult(o) is { Implicit: false, Tokens: [] });

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

    /// <summary>What is printed whatever else the line says.</summary>
    private sealed class Printed(Action<ParseResult> print) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            print(parseResult);
            return ExitCode.Success;
        }
    }
}
