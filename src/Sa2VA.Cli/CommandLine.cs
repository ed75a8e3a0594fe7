using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Sa2VA.Cli.Commands;
using Sa2VA.Core;

namespace Sa2VA.Cli;

/// <summary>Reads the arguments, runs one command, and turns what went wrong into one line and an exit code.</summary>
internal sealed class CommandLine
{
    private const string VerboseFlag = "--verbose", JsonFlag = "--json";
    private readonly Terminal _terminal;
    private readonly RootCommand _root;

    /// <param name="terminal">Streams and cancellation.</param>
    public CommandLine(Terminal terminal)
    {
        _terminal = terminal;
        _root = new RootCommand("Runs Sa2VA checkpoints: answers about images and videos, with masks of what the answer names.")
        {
            // Every command of the program: one line each.
            DemoCommand.Create(terminal),
            SegmentCommand.Create(terminal),
            ChatCommand.Create(terminal),
            DescribeCommand.Create(terminal),
            InspectCommand.Create(terminal),
            VerifyCommand.Create(terminal),
            BenchCommand.Create(terminal),
            SynthesizeCommand.Create(terminal),
        };
        _root.Options.Add(new Option<bool>(VerboseFlag) { Description = "Show the stack of an error.", Recursive = true });
        foreach (Option option in _root.Options)
            if (option is HelpOption help) help.Action = new HelpWithExamples((HelpAction)help.Action!);
    }

    /// <summary>The commands, for tests of their help.</summary>
    internal IEnumerable<Command> Commands => _root.Subcommands;

    /// <summary>Parses a line without running it, for tests of the examples.</summary>
    internal ParseResult Parse(string line) => _root.Parse(line);

    /// <summary>Runs one command.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    public int Run(string[] args)
    {
        ParseResult parsed = _root.Parse(args);
        bool json = args.Contains(JsonFlag);
        try
        {
            if (parsed.Errors.Count > 0 && parsed.Action is not HelpWithExamples) throw new UsageException(Describe(parsed));
            int code = parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = _terminal.Out, Error = _terminal.Error, EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null,
            }, _terminal.Cancellation).GetAwaiter().GetResult();
            _terminal.Progress.Clear();
            return code;
        }
        catch (OperationCanceledException) when (_terminal.Cancellation.IsCancellationRequested)
        {
            return Fail("Cancelled.", ExitCode.Cancelled, json);
        }
        catch (Sa2VAException e) when (e is not GraphException)
        {
            int code = Fail(e.Message, ExitCode.BadInput, json);
            if (args.Contains(VerboseFlag)) _terminal.Error.WriteLine(e);
            return code;
        }
        catch (Exception e)
        {
            int code = Fail($"This is a bug in sa2va: {e.Message}", ExitCode.Bug, json);
            _terminal.Error.WriteLine(e);
            return code;
        }
    }

    private int Fail(string message, int code, bool json)
    {
        string line = string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        _terminal.Note($"sa2va: {line}");
        if (json) new JsonLines(_terminal.Out).Error(line, code);
        return code;
    }

    private static string Describe(ParseResult parsed)
    {
        string names = string.Join(' ', parsed.CommandResult.Command is RootCommand ? ["sa2va"] : ["sa2va", parsed.CommandResult.Command.Name]);
        List<string> messages = [.. parsed.Errors.Select(e => e.Message.Trim()).Distinct()];
        // A mistyped command is reported twice: as unknown and as missing.
        if (messages.Count > 1 && parsed.UnmatchedTokens.Count > 0) messages.RemoveAll(m => m.StartsWith("Required command", StringComparison.Ordinal));
        return $"{string.Join(' ', messages)} See `{names} --help`.";
    }

    /// <summary>The usual help, with the command's examples below.</summary>
    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = help.Invoke(parseResult);
            if (parseResult.CommandResult.Command is not CliCommand command) return code;
            TextWriter output = parseResult.InvocationConfiguration.Output;
            output.WriteLine(command.Examples.Count > 1 ? "Examples:" : "Example:");
            foreach (string example in command.Examples) output.WriteLine("  " + example);
            output.WriteLine();
            return code;
        }
    }
}
