using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Verifying;

/// <summary>Where results go as they come.</summary>
internal interface IVerifyOutput
{
    void Write(StageResult result);

    void Write(PredictRun run);

    void End(VerifySummary summary);
}

/// <summary>Results for people: a line per file, a line per tensor, tables at the end.</summary>
internal sealed class VerifyText(Terminal terminal) : IVerifyOutput
{
    public void Write(StageResult result)
    {
        terminal.WriteLine($"{Word(result.Status)}  {result.Path}  {result.Stage}{(result.SkipReason is { } reason ? ": " + reason : "")}");
        foreach (TensorCheck c in result.Checks)
        {
            string errors = c.Problem ?? (c.Ties > 0 && c.Passed ? $"{c.Name}: {Plural.Of(c.Ties, "tie")}"
                : c.IsExact && c.Passed ? $"{c.Name}: equal"
                : c.LowestIou is { } lowest
                    ? FormattableString.Invariant($"{c.Name}: lowest IoU {lowest:0.00000}, at least {1 - c.MaxAllowed:0.000}")
                        + (c.Passed ? "" : Reference(c.ReferenceIou))
                : Errors(c));
            terminal.WriteLine("      " + errors + (c.Passed ? "" : "  <- outside"));
        }
    }

    public void Write(PredictRun run)
    {
        terminal.WriteLine($"{Word(run.Status)}  {run.Path}{(run.SkipReason is { } reason ? ": " + reason : "")}");
        if (run.Result is not { } r) return;
        if (r.Mismatch is { } mismatch) terminal.WriteLine("      " + mismatch);
        terminal.WriteLine(r.Ious.Count == 0
            ? "      text and tokens " + (r.TextEqual && r.IdsEqual ? "equal" : "differ")
            : FormattableString.Invariant($"      {Plural.Of(r.Ious.Count, "object")}, lowest IoU {r.LowestIou:0.00000}, ")
                + FormattableString.Invariant($"lowest median {r.LowestMedian:0.00000}, [SEG] error {VerifyCells.Error(r.SegError)}")
                + FormattableString.Invariant($"; at least {r.Bound.Lowest:0.000}, {r.Bound.Median:0.000}")
                + (r.LowestIou >= r.Bound.Lowest || r.Bound.Precision == Precision.Float32 ? "" : Reference(r.ReferenceIou) + Choice(r)));
    }

    public void End(VerifySummary summary)
    {
        TextTable.Print(terminal, VerifyCells.StageHeadings, 1, [.. summary.Stages.Select(VerifyCells.Of)]);
        TextTable.Print(terminal, VerifyCells.PredictHeadings, 1, [.. summary.Predictions.Select(VerifyCells.Of)]);
        terminal.WriteLine(VerifyCells.Counts(summary));
        foreach ((string reason, int count) in summary.SkipReasons)
            terminal.WriteLine(FormattableString.Invariant($"  {count} skipped: {reason}"));
    }

    private static string Errors(TensorCheck c) => $"{c.Name}: max {VerifyCells.Error(c.MaxError)} of {VerifyCells.Error(c.MaxAllowed)}, "
        + $"rms {VerifyCells.Error(c.RmsError)} of {VerifyCells.Error(c.RmsAllowed)} "
        + $"({VerifyCells.Share(StageRow.ShareOf(c))}{(c.Rule is { } rule ? " of " + rule : "")})";

    /// <summary>What a reader can judge a mask by that falls short.</summary>
    private static string Reference(double? lowest) =>
        $" (the reference's own bf16 with this checkpoint: {lowest?.ToString("0.00000", CultureInfo.InvariantCulture) ?? "not recorded"})";

    /// <summary>Whether another of the decoder's candidates may have been chosen.</summary>
    private static string Choice(PredictResult result) => result.Case.MinIouGap is { } gap
        ? FormattableString.Invariant($", predicted IoUs to choose by recorded {gap:0.00000} apart")
        : "";

    private static string Word(StageStatus status) => status switch
    {
        StageStatus.Passed => "ok  ",
        StageStatus.Failed => "FAIL",
        StageStatus.Tied => "tie ",
        _ => "skip",
    };
}
