using System.CommandLine;
using System.CommandLine.Parsing;

namespace Sa2VA.Cli.Arguments;

/// <summary>
/// Reads <c>[options] command [options]</c>. Values are text: nothing is read from files or expanded. Of a value that is spelled like an
/// option (<c>--out --json</c>) the option is more likely meant; with a sign (<c>--out=--json</c>) it is the value, and a prompt always is.
/// </summary>
internal static class ArgumentReader
{
    private static readonly ParserConfiguration Configuration = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    /// <summary>Reads a command line.</summary>
    /// <param name="root">The program.</param>
    /// <param name="args">Arguments, without the program's name.</param>
    public static ParseResult Parse(RootCommand root, IReadOnlyList<string> args)
    {
        HashSet<string> names = [.. root.Subcommands.SelectMany(c => c.Options).Select(o => o.Name)];
        var words = new List<string>();
        for (int i = 0; i < args.Count; i++)
        {
            string arg = args[i];
            // The library drops an empty value behind a sign, and takes one apart that spells an option.
            if (arg.EndsWith('=') && names.Contains(arg[..^1])) words.AddRange(arg[..^1], "");
            else if (arg == CommonOptions.Prompt && i + 1 < args.Count && args[i + 1].Length > 0) words.Add($"{arg}={args[++i]}");
            else words.Add(arg);
        }
        return root.Parse(words, Configuration);
    }

    /// <summary>True if the option was given.</summary>
    public static bool Has(ParseResult line, Option option) => line.GetResult(option) is { Implicit: false };

    /// <summary>What is wrong with a command line, or null.</summary>
    public static string? Problem(ParseResult line)
    {
        Command command = line.CommandResult.Command;
        // The library would obey these two.
        string? stray = line.Tokens.FirstOrDefault(t => t.Type is TokenType.DoubleDash or TokenType.Directive)?.Value;
        stray ??= OptionAmongValues(line) ?? line.UnmatchedTokens.FirstOrDefault();
        if (stray is not null) return Unmatched(line, command, stray);
        if (command is RootCommand) return "Give a command.";
        OptionResult[] given = [.. line.CommandResult.Children.OfType<OptionResult>().Where(r => !r.Implicit)];
        OptionResult? bare = given.FirstOrDefault(r => r.Option.HelpName is not null && r.IdentifierTokenCount > r.Tokens.Count);
        if (bare is not null) return NeedsValue(line, bare);
        ArgumentResult[] bareWords = [.. command.Arguments.Select(line.GetResult).OfType<ArgumentResult>()];
        if (line.Errors.FirstOrDefault(e => given.Contains(e.SymbolResult) || bareWords.Contains(e.SymbolResult)) is { } error)
            return error.Message;
        string[] missing = [
            .. command.Arguments.OfType<TextArgument>().Where(a => line.GetResult(a) is not { Tokens.Count: > 0 }).Select(a => a.Name),
            .. command.Options.Where(o => o.Required && !Has(line, o)).Select(Usage)];
        return missing.Length == 0 ? null : $"Give {string.Join(" and ", missing)}.";
    }

    /// <summary>
    /// A word that looks like an option and stands behind a value: the library would take it for one more (<c>--image a.png --promt x</c>).
    /// </summary>
    private static string? OptionAmongValues(ParseResult line)
    {
        Token? before = null;
        foreach (Token token in line.Tokens)
        {
            if (token is { Type: TokenType.Argument, Value: ['-', var next, ..] } && (next == '-' || char.IsAsciiLetter(next))
                && before is { Type: TokenType.Argument or TokenType.Command })
                return token.Value;
            before = token;
        }
        return null;
    }

    private static string NeedsValue(ParseResult line, OptionResult bare)
    {
        string name = bare.Option.Name;
        string? next = line.Tokens.SkipWhile(t => t != bare.IdentifierToken).Skip(1).FirstOrDefault()?.Value;
        return $"{name} needs a value: {Usage(bare.Option)}."
            + (bare.Tokens.Count > 0 || next is null ? "" : $" If it is called that, write {name}={next}");
    }

    private static string Usage(Option option) => $"{option.Name} {option.HelpName}";

    private static string Unmatched(ParseResult line, Command command, string stray)
    {
        if (!stray.StartsWith('-') || stray.Length == 1)
            return command is RootCommand ? Unknown("command", stray, command.Subcommands.Select(c => c.Name))
                : $"{Quoted.Of(stray)} belongs to no option; a text with blanks needs quotation marks.";
        string name = stray.Split('=')[0];
        if (command.Options.Any(o => o.Name == name)) return $"{Quoted.Of(name)} belongs behind the command.";
        IEnumerable<Option> common = line.RootCommandResult.Command.Options.Where(o => o.Recursive || command is RootCommand);
        return Unknown("option", name, command.Options.Concat(common).Select(o => o.Name));
    }

    private static string Unknown(string what, string given, IEnumerable<string> names)
    {
        string? near = names.Select(n => (Name: n, Distance: Distance(given, n))).Where(n => n.Distance <= 1 + (n.Name.Length / 4))
            .OrderBy(n => n.Distance).Select(n => n.Name).FirstOrDefault();
        return $"There is no {what} {Quoted.Of(given)}{(near is null ? "." : $"; is {near} meant?")}";
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
