using System.Globalization;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What became of a time or a rate.</summary>
public enum Movement
{
    /// <summary>The ranges of both runs overlap.</summary>
    WithinSpread,
    /// <summary>Better in each run of now than in any of before.</summary>
    Better,
    /// <summary>Worse in each.</summary>
    Worse,
    /// <summary>One of the two was measured only once, so that nobody knows its spread.</summary>
    Unknown,
    /// <summary>Measured only now.</summary>
    New,
    /// <summary>A kernel that a stage which was measured again no longer runs.</summary>
    Gone,
}

/// <summary>A row of two records.</summary>
/// <param name="Row">What was measured.</param>
/// <param name="Before">Then; null where it was not.</param>
/// <param name="Now">Now; null where it was not.</param>
public sealed record BenchmarkChange(RecordedRow Row, Spread? Before, Spread? Now)
{
    /// <summary>Now divided by before; of times below 1, of rates above 1, now is better.</summary>
    public double? Ratio => Now?.Median / Before?.Median;

    /// <summary>What became of it: it moved if the two ranges, least to most, are apart.</summary>
    public Movement Movement
    {
        get
        {
            if (Before is not { } before) return Movement.New;
            if (Now is not { } now) return Movement.Gone;
            if (before.Count < 2 || now.Count < 2) return Movement.Unknown;
            if (now.Min <= before.Max && before.Min <= now.Max) return Movement.WithinSpread;
            return now.Median > before.Median == Row.IsRate ? Movement.Better : Movement.Worse;
        }
    }
}

/// <summary>Two results of <c>sa2va bench</c>, row by row.</summary>
public static class BenchmarkComparison
{
    /// <summary>Headings of <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } = ["Stage", "Kernel", "Moved", "Before", "Now", "Now / before"];

    /// <summary>How many of the columns, from the left, are words.</summary>
    public const int Words = 3;

    /// <summary>Rows of now, then kernels that are gone from stages of now. Stages that only before has are left out.</summary>
    public static IReadOnlyList<BenchmarkChange> Of(BenchmarkRecord before, BenchmarkRecord now)
    {
        var stages = now.Rows.Keys.Where(r => r.Kernel is not null).Select(r => r.Stage).ToHashSet();
        return
        [
            .. now.Rows.Select(r => new BenchmarkChange(r.Key, before.Rows.TryGetValue(r.Key, out Spread then) ? then : null, r.Value)),
            .. before.Rows.Where(r => r.Key.Kernel is not null && stages.Contains(r.Key.Stage) && !now.Rows.ContainsKey(r.Key))
                .Select(r => new BenchmarkChange(r.Key, r.Value, null)),
        ];
    }

    /// <summary>A line of the table.</summary>
    public static string[] Cells(BenchmarkChange change) =>
    [
        change.Row.Stage,
        change.Row.Kernel ?? "",
        change.Movement switch
        {
            Movement.WithinSpread => "",
            Movement.Better => change.Row.IsRate ? "more" : "faster",
            Movement.Worse => change.Row.IsRate ? "less" : "slower",
            Movement.Unknown => "? (one run)",
            Movement.New => "new",
            _ => "gone",
        },
        Text(change.Before, change.Row),
        Text(change.Now, change.Row),
        change.Ratio is { } ratio ? ratio.ToString("F2", CultureInfo.InvariantCulture) : "–",
    ];

    /// <summary>The changes as JSON objects, one per line.</summary>
    public static IEnumerable<string> JsonLines(IEnumerable<BenchmarkChange> changes) => changes.Select(c => BenchmarkText.Line(w =>
    {
        w.WriteString("type", "change");
        w.WriteString("stage", c.Row.Stage);
        w.WriteString("kernel", c.Row.Kernel);
        w.WriteString("unit", c.Row.Unit);
        if (c.Before is { } before) BenchmarkText.Write(w, "before", before);
        if (c.Now is { } now) BenchmarkText.Write(w, "now", now);
        if (c.Ratio is { } ratio) BenchmarkText.Write(w, "ratio", ratio);
        w.WriteString("moved", c.Movement switch
        {
            Movement.WithinSpread => "within_spread",
            Movement.Better => "better",
            Movement.Worse => "worse",
            Movement.Unknown => "unknown",
            Movement.New => "new",
            _ => "gone",
        });
    }));

    /// <summary>The changes as a Markdown table.</summary>
    public static string Markdown(IEnumerable<BenchmarkChange> changes) => BenchmarkText.Markdown(Headings, Words, changes.Select(Cells));

    private static string Text(Spread? value, RecordedRow row) => value is not { } s ? "–"
        : row.IsRate ? $"{BenchmarkText.Range(s, 1)} {row.Unit}" : s.Count > 1 ? BenchmarkText.Time(s) : BenchmarkText.Duration(s.Median);
}
