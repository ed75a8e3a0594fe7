using Sa2VA.Cli.Arguments;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va synthesize</c>: a checkpoint of a released model's size with computed weights.</summary>
internal static class SynthesizeCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var preset = new TextOption("--preset", "NAME", $"Sizes: {string.Join(", ", SyntheticPresets.Names)}.") { Required = true };
        var output = new TextOption("--out", "DIR", "Folder to write; new or empty.") { Required = true };
        var tokenizer = new TextOption("--tokenizer", "DIR",
            "Folder with the tokenizer of the base language model; without it no tokenizer is written.");
        return new CliCommand("synthesize",
            "Writes a checkpoint of a released model's size with computed weights, to measure speed and to test loaders.",
            "sa2va synthesize --preset sa2va-1b --out synthetic-1b",
            "sa2va synthesize --preset sa2va-4b --out synthetic-4b --tokenizer Qwen2.5-3B")
        {
            Accepts = [preset, output, tokenizer],
            Run = values => Task.FromResult(
                Run(terminal, values.GetRequiredValue(preset), values.GetRequiredValue(output), values.GetValue(tokenizer))),
        };
    }

    private static int Run(Terminal terminal, string preset, string folder, string? tokenizer)
    {
        long total = 0;
        try
        {
            Synthesizer.Write(preset, folder, tokenizer, new Reports<SynthesisProgress>(p =>
            {
                total = p.Total;
                terminal.Progress.Bytes("Writing", p.Done, p.Total);
            }), terminal.Cancellation);
        }
        catch (CheckpointException e) when (FileTrouble.Is(e.InnerException)
            && e.Message.Contains("cannot be written", StringComparison.Ordinal))
        {
            throw new UsageException(
                $"{Quoted.Of(folder)} cannot be written: {FileTrouble.Cause(e.InnerException!)}; give another folder with --out.", e);
        }
        terminal.WriteLine(FormattableString.Invariant($"{preset}: {total / 1e9:0.00} GB of computed weights in {folder}"));
        if (tokenizer is null)
            terminal.Note("There is no tokenizer beside them: questions cannot be asked; `sa2va bench` and `sa2va inspect` work.");
        return ExitCode.Success;
    }
}
