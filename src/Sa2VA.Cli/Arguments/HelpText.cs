using System.Text;

namespace Sa2VA.Cli.Arguments;

/// <summary>What <c>--help</c> prints.</summary>
internal static class HelpText
{
    private const int Width = 120;

    private static readonly (string, string)[] Common =
    [
        ("--verbose", "Show the stack of an error."),
        ("--help", "Show this text."),
    ];

    /// <summary>Help of the program.</summary>
    public static string Of(string description, IReadOnlyList<Command> commands)
    {
        var text = new StringBuilder($"{description}\n\nUsage:\n  sa2va COMMAND [options]\n\nCommands:\n");
        Table(text, [.. commands.Select(c => (c.Name, c.Description))]);
        text.Append("\nOptions:\n");
        Table(text, [.. Common, ("--version", "Show the version.")]);
        return text.Append("\n`sa2va COMMAND --help` shows a command's options and examples.\n").ToString();
    }

    /// <summary>Help of a command.</summary>
    public static string Of(Command command)
    {
        var text = new StringBuilder($"{command.Description}\n\nUsage:\n  sa2va {command.Name} [options]\n\nOptions:\n");
        Table(text, [.. command.Options.Select(o => (o.Usage, Describe(o))), .. Common]);
        text.Append(command.Examples.Count > 1 ? "\nExamples:\n" : "\nExample:\n");
        foreach (string example in command.Examples) text.Append("  ").Append(example).Append('\n');
        return text.ToString();
    }

    private static string Describe(Option option) =>
        option.Description + (option.Required ? " Required." : option.DefaultText is { } value ? $" [default: {value}]" : "");

    private static void Table(StringBuilder text, (string Left, string Right)[] rows)
    {
        int left = rows.Max(r => r.Left.Length) + 4;
        foreach ((string name, string description) in rows)
        {
            text.Append("  ").Append(name.PadRight(left - 2));
            int column = left;
            foreach (string word in description.Split(' '))
            {
                if (column + word.Length + 1 > Width)
                {
                    text.Append('\n').Append(' ', left);
                    column = left;
                }
                else if (column > left)
                {
                    text.Append(' ');
                    column++;
                }
                text.Append(word);
                column += word.Length;
            }
            text.Append('\n');
        }
    }
}
