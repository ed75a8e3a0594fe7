using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli;

/// <summary>Options that several commands have; each command makes its own.</summary>
internal static class CommonOptions
{
    /// <summary>The option whose value is text whatever it begins with.</summary>
    public const string Prompt = "--prompt";

    /// <summary>The option that asks for JSON lines; errors are such lines then.</summary>
    public const string Json = "--json";

    public static DecimalOption MinScore() =>
        new("--min-score", "Leave out masks whose score, the model's own guess of how good they are, is lower.", 0, 1);
}
