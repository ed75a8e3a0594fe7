using System.Globalization;

namespace Sa2VA.Cli.Verifying;

/// <summary>The summary as rows of text, for the terminal and for Markdown.</summary>
internal static class VerifyCells
{
    public static readonly string[] StageHeadings =
        ["stage", "files", "failed", "tensors", "of them exact", "worst rms error", "worst max error", "share of tolerance"];

    public static readonly string[] PredictHeadings =
        ["answers of", "cases", "failed", "text and tokens equal", "masks", "lowest IoU", "lowest median IoU", "worst [SEG] error"];

    public static string[] Of(StageRow r)
    {
        bool exact = r.Exact == r.Tensors;
        string[] errors = exact ? ["0", "0", "exact"] : [Error(r.Rms), Error(r.Max), Share(r.Share)];
        return [r.Stage, Int(r.Files), Int(r.Failed), Int(r.Tensors), Int(r.Exact), .. errors];
    }

    public static string[] Of(PredictRow r) =>
    [
        r.Model, Int(r.Cases), Int(r.Failed), Int(r.Equal), Int(r.Masks),
        r.Masks == 0 ? "–" : r.LowestIou.ToString("0.00000", CultureInfo.InvariantCulture),
        r.Masks == 0 ? "–" : r.LowestMedian.ToString("0.00000", CultureInfo.InvariantCulture), r.Masks == 0 ? "–" : Error(r.SegError),
    ];

    public static string Counts(VerifySummary s)
    {
        string ties = s.Ties == 0 ? ""
            : FormattableString.Invariant($", {s.Tied} with {Plural.Of(s.Ties, "tie")} (choices that rounding decides)");
        return FormattableString.Invariant($"{s.Passed} passed, {s.Failed} failed{ties}, {s.Skipped} skipped");
    }

    public static string Error(double value) => value == 0 ? "0" : value.ToString("0.0e-00", CultureInfo.InvariantCulture);

    public static string Share(double value) =>
        double.IsFinite(value) ? (value * 100).ToString(value < 0.1 ? "0.0" : "0", CultureInfo.InvariantCulture) + " %" : "beyond";

    private static string Int(int value) => value.ToString(CultureInfo.InvariantCulture);
}
