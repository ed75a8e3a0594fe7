using System.CommandLine;
using Sa2VA.Cli.Arguments;

namespace Sa2VA.Cli;

/// <summary>Where results go and how they are named.</summary>
/// <param name="Folder">The folder; null for none.</param>
/// <param name="Overwrite">True to take the place of the run that it holds.</param>
/// <param name="NamesOfSource">True to name files after those that they belong to.</param>
internal sealed record OutputChoice(string? Folder, bool Overwrite, bool NamesOfSource);

/// <summary>The options that say where results go; a command makes its own.</summary>
/// <param name="description">What is put there.</param>
internal sealed class OutputFlags(string description)
{
    private readonly Flag _overwrite = new("--overwrite",
        "Take the place of the files of the run that --out holds; without it, a new run goes beside it, into DIR-2, DIR-3, …");

    private readonly ChoiceOption _names = new("--names",
        "Names of mask and overlay files: index (frame-00000.png, …), or source (00012.png from 00012.jpg).", "index", "source");

    /// <summary>The folder.</summary>
    public TextOption Folder { get; } = new("--out", "DIR", description);

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [Folder, _overwrite, _names];

    /// <summary>Refuses choices about files that are not written.</summary>
    public void Check(ParseResult values)
    {
        if (values.GetValue(Folder) is not null) return;
        if (ArgumentReader.Has(values, _names)) throw new UsageException("--names belongs to --out: without a folder there are no files.");
        if (values.GetValue(_overwrite)) throw new UsageException("--overwrite belongs to --out: without a folder there are no files.");
    }

    /// <summary>What was chosen.</summary>
    public OutputChoice Of(ParseResult values) =>
        new(values.GetValue(Folder), values.GetValue(_overwrite), values.GetValue(_names) is "source");
}
