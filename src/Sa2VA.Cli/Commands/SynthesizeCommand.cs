using System.CommandLine;
using System.Globalization;
using Sa2VA.Models;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va synthesize</c>: a checkpoint of a released model's size with computed weights.</summary>
internal static class SynthesizeCommand
{
    public static Command Create(Terminal terminal)
    {
        var preset = new Option<string>("--preset") { Description = $"Sizes: {string.Join(", ", SyntheticPresets.Names)}.", HelpName = "NAME", Required = true };
        var output = new Option<string>("--out") { Description = "Folder to write; new or empty.", HelpName = "DIR", Required = true };
        var tokenizer = new Option<string?>("--tokenizer") { Description = "Folder with the tokenizer of the base language model; without it no tokenizer is written.", HelpName = "DIR" };
        var command = new CliCommand("synthesize", "Writes a checkpoint of a released model's size with computed weights, to measure speed and to test loaders.",
            "sa2va synthesize --preset sa2va-1b --out synthetic-1b", "sa2va synthesize --preset sa2va-4b --out synthetic-4b --tokenizer Qwen2.5-3B")
        {
            preset, output, tokenizer,
        };
        command.SetAction(parsed =>
        {
            string name = parsed.GetRequiredValue(preset), folder = parsed.GetRequiredValue(output);
            string? tokens = parsed.GetValue(tokenizer);
            long total = 0;
            Synthesizer.Write(name, folder, tokens, new Reports<SynthesisProgress>(p =>
            {
                total = p.Total;
                terminal.Progress.Bytes("Writing", p.Done, p.Total);
            }), terminal.Cancellation);
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: {total / 1e9:0.00} GB of computed weights in {folder}"));
            if (tokens is null) terminal.Note("There is no tokenizer beside them: questions cannot be asked; `sa2va bench` and `sa2va inspect` work.");
            return ExitCode.Success;
        });
        return command;
    }
}
