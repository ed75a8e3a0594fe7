using Sa2VA.Cli.Arguments;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va quantize</c>: a checkpoint with the language model's weights in few bits.</summary>
internal static class QuantizeCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags();
        var to = new ChoiceOption("--to",
            "Bits of the language model's matrices: 8, or 4 and for its head 8. All else is kept as it is.",
            Precision.Int8.Name(), Precision.Int4.Name());
        var output = new TextOption("--out", "DIR", "Folder to write; new or empty.") { Required = true };
        return new CliCommand("quantize",
            "Writes a checkpoint with the language model's weights in 8 or 4 bits: a smaller download that loads at once, "
                + "with the answers that --precision int8 or int4 gives.",
            "sa2va quantize --model Sa2VA-1B --to int8 --out Sa2VA-1B-int8")
        {
            Accepts = [.. model.All, to, output],
            Run = values => Task.FromResult(Run(terminal, model.Of(values).Folder(), values.GetValue(to) == Precision.Int8.Name()
                ? Precision.Int8 : Precision.Int4, values.GetRequiredValue(output))),
        };
    }

    private static int Run(Terminal terminal, string folder, Precision precision, string output)
    {
        QuantizationResult result;
        try
        {
            result = Quantizer.Write(folder, output, precision,
                new Reports<QuantizationProgress>(p => terminal.Progress.Bytes("Quantising", p.Done, p.Total)), terminal.Cancellation);
        }
        catch (CheckpointException e) when (FileTrouble.Is(e.InnerException)
            && e.Message.Contains("cannot be written", StringComparison.Ordinal))
        {
            throw new UsageException(
                $"{Quoted.Of(output)} cannot be written: {FileTrouble.Cause(e.InnerException!)}; give another folder with --out.", e);
        }
        terminal.WriteLine(FormattableString.Invariant($"{Quoted.Of(output)}: {Plural.Of(result.Matrices, "matrix", "matrices")} in ")
            + FormattableString.Invariant($"{precision.Name()}, {result.BytesBefore / 1e6:0.0} MB of weights became ")
            + FormattableString.Invariant($"{result.BytesAfter / 1e6:0.0} MB"));
        if (result.LeftOut > 0)
            terminal.Note($"{Plural.Of(result.LeftOut, "tensor", "tensors")} of a type that is not read and that nothing uses "
                + $"{(result.LeftOut == 1 ? "was" : "were")} left out.");
        return ExitCode.Success;
    }
}
