using System.CommandLine;

namespace Sa2VA.Cli.Arguments;

/// <summary>A command with examples.</summary>
/// <param name="name">Name.</param>
/// <param name="description">What it does.</param>
/// <param name="examples">Complete command lines; help ends with them.</param>
internal sealed class CliCommand(string name, string description, params string[] examples) : Command(name, description)
{
    /// <summary>Complete command lines.</summary>
    public IReadOnlyList<string> Examples => examples;

    /// <summary>Its options, in the order of help.</summary>
    public required IEnumerable<Option> Accepts
    {
        init
        {
            foreach (Option option in value) Options.Add(option);
        }
    }

    /// <summary>What it is done to, given without an option's name; unset for nothing.</summary>
    public Argument Takes
    {
        init => Arguments.Add(value);
    }

    /// <summary>Does it, and gives the exit code.</summary>
    public required Func<ParseResult, Task<int>> Run
    {
        init => SetAction((values, _) => value(values));
    }
}
