using System.CommandLine;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli;

/// <summary>Options that several commands have; each command makes its own.</summary>
internal static class CommonOptions
{
    /// <summary>The option whose value is text whatever it begins with.</summary>
    public const string Prompt = "--prompt";

    /// <summary>The option that asks for JSON lines; errors are such lines then.</summary>
    public const string Json = "--json";

    public static TextOption Model() =>
        new("--model", "DIR", "Folder of a checkpoint: config.json, tokenizer files, safetensors.") { Required = true };

    public static TextOption Out(string description) => new("--out", "DIR", description);

    public static ChoiceOption Names() =>
        new("--names",
            "Names of mask and overlay files: index (frame-00000.png, …), or source (00012.png from 00012.jpg).", "index", "source");

    /// <summary>Refuses names for files that are not written.</summary>
    public static void CheckNames(ParseResult values, ChoiceOption names, TextOption output)
    {
        if (values.GetValue(output) is null && ArgumentReader.Has(values, names))
            throw new UsageException("--names belongs to --out: without a folder there are no files to name.");
    }
}
