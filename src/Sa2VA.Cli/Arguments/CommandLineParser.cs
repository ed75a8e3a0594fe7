namespace Sa2VA.Cli.Arguments;

/// <summary>What a command line asks for.</summary>
internal sealed class ParsedLine
{
    /// <summary>The command; null if none was named.</summary>
    public Command? Command { get; set; }

    /// <summary>Values of its options.</summary>
    public Values Values { get; } = new();

    /// <summary>True for <c>--help</c>.</summary>
    public bool Help { get; set; }

    /// <summary>True for <c>--version</c>.</summary>
    public bool Version { get; set; }

    /// <summary>True for <c>--verbose</c>.</summary>
    public bool Verbose { get; set; }

    /// <summary>True for <c>--json</c>, also where the command has no such option: then the error is a JSON line, too.</summary>
    public bool Json { get; set; }

    /// <summary>The first thing that is wrong, or null.</summary>
    public UsageException? Error { get; set; }
}

/// <summary>
/// Reads <c>[options] command [options]</c>. A value is text, whatever it begins with: nothing is read from files, expanded, or split. It
/// follows its option (<c>--out x</c>) or stands behind a sign (<c>--out=x</c>); only the second form can name a file like an option.
/// </summary>
internal sealed class CommandLineParser(IReadOnlyList<Command> commands)
{
    private const string VerboseName = "--verbose", JsonName = "--json", VersionName = "--version";

    /// <summary>Reads a command line. Errors are part of the result, so that <c>--help</c> works beside them.</summary>
    /// <param name="args">Arguments, without the program's name.</param>
    public ParsedLine Parse(IReadOnlyList<string> args)
    {
        var line = new ParsedLine();
        for (int at = 0; at < args.Count;)
            try
            {
                Take(args, ref at, line);
            }
            catch (UsageException e)
            {
                line.Error ??= e;
            }
        if (line.Error is null && !line.Help && !line.Version) line.Error = Missing(line);
        return line;
    }

    // Moves on before it can throw: what follows an error is read too.
    private void Take(IReadOnlyList<string> args, ref int at, ParsedLine line)
    {
        string arg = args[at++];
        if (arg == JsonName) line.Json = true;
        if (arg is "--help" or "-h" or "-?" or "/?") line.Help = true;
        else if (arg == VersionName && line.Command is null) line.Version = true;
        else if (arg == VerboseName) line.Verbose = true;
        else if (line.Command is null && !arg.StartsWith('-'))
            line.Command = commands.FirstOrDefault(c => c.Name == arg) ?? throw Unknown("command", arg, commands.Select(c => c.Name));
        else
        {
            int sign = arg.StartsWith("--", StringComparison.Ordinal) ? arg.IndexOf('=') : -1;
            string name = sign < 0 ? arg : arg[..sign];
            IEnumerable<Option> options = line.Command?.Options ?? [];
            Option option = options.FirstOrDefault(o => o.Name == name) ?? throw UnknownArgument(arg, name, line.Command);
            if (option.ValueName is null)
            {
                if (sign >= 0) throw new UsageException($"{name} is a switch; it takes no value.");
                line.Values.Add(option, "");
            }
            else if (sign >= 0) line.Values.Add(option, arg[(sign + 1)..]);
            else line.Values.Add(option, Value(args, ref at, option, line.Command!));
            while (option.TakesSeveral && at < args.Count && !args[at].StartsWith("--", StringComparison.Ordinal))
                line.Values.Add(option, args[at++]);
        }
    }

    private static string Value(IReadOnlyList<string> args, ref int at, Option option, Command command)
    {
        string missing = $"{option.Name} needs a value: {option.Usage}.";
        if (at == args.Count) throw new UsageException(missing);
        string value = args[at];
        // More likely the value was forgotten than a file is called --json.
        if (!option.IsText && (value is VerboseName or "--help" || command.Options.Any(o => o.Name == value)))
            throw new UsageException($"{missing} If it is called that, write {option.Name}={value}");
        at++;
        return value;
    }

    private static UsageException? Missing(ParsedLine line)
    {
        if (line.Command is not { } command) return new UsageException("Give a command.");
        string[] missing = [.. command.Options.Where(o => o.Required && !line.Values.Has(o)).Select(o => o.Usage)];
        return missing.Length == 0 ? null : new UsageException($"Give {string.Join(" and ", missing)}.");
    }

    private static UsageException UnknownArgument(string arg, string name, Command? command)
    {
        if (arg.StartsWith('-') && arg.Length > 1)
            return Unknown("option", name, command?.Options.Select(o => o.Name) ?? [VersionName, VerboseName, "--help"]);
        return new UsageException($"{Quoted.Of(arg)} belongs to no option; a text with blanks needs quotation marks.");
    }

    private static UsageException Unknown(string what, string given, IEnumerable<string> names)
    {
        string? near = names.Select(n => (Name: n, Distance: Distance(given, n))).Where(n => n.Distance <= 1 + (n.Name.Length / 4))
            .OrderBy(n => n.Distance).Select(n => n.Name).FirstOrDefault();
        return new UsageException($"There is no {what} {Quoted.Of(given)}{(near is null ? "." : $"; is {near} meant?")}");
    }

    /// <summary>Fewest insertions, deletions and changes of a character between two words.</summary>
    private static int Distance(string a, string b)
    {
        if (Math.Abs(a.Length - b.Length) > b.Length) return int.MaxValue;
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
                (diagonal, row[j]) = (row[j], Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)));
        }
        return row[^1];
    }
}
