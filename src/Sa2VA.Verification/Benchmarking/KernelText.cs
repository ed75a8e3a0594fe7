namespace Sa2VA.Verification.Benchmarking;

/// <summary>A stage's kernels as text.</summary>
public static class KernelText
{
    private static readonly string[] Measured =
        ["Op", "Kernel", "Shapes", "Launches", "Time", "Each", "of stage", "GFLOP", "TFLOP/s", "of peak", "MB", "GB/s", "of bandwidth"];

    /// <summary>Headings of <see cref="Cells"/>; of modelled times also what limits them and how much of the grids ran.</summary>
    public static IReadOnlyList<string> Headings(StageMeasurement stage) =>
        stage.IsModelled ? [.. Measured, "Limited by", "Blocks run"] : Measured;

    /// <summary>How many of the columns, from the left, are words.</summary>
    public const int Words = 3;

    /// <summary>What stands above the table: all kernels' time against the stage's.</summary>
    public static string Heading(StageMeasurement stage) => stage.IsModelled
        ? $"{stage.Stage}: {BenchmarkText.Duration(stage.Seconds.Median)} modelled, limited by {Limits(stage)}."
        : $"{stage.Stage}: kernels {BenchmarkText.Duration(Sum(stage))}, one by one; "
            + $"the stage {BenchmarkText.Duration(stage.Seconds.Median)}.";

    /// <summary>A kernel's line of the table.</summary>
    public static string[] Cells(KernelTime kernel, StageMeasurement stage, Ceilings ceilings)
    {
        double flops = kernel.Flops / kernel.Seconds, bytes = kernel.Bytes / kernel.Seconds;
        string modelled = BenchmarkText.Modelled(stage);
        return
        [
            kernel.Op,
            kernel.Kernel,
            kernel.Shapes,
            BenchmarkText.Text($"{kernel.Launches}"),
            BenchmarkText.Duration(kernel.Seconds) + modelled,
            BenchmarkText.Duration(kernel.Seconds / kernel.Launches) + modelled,
            BenchmarkText.Text($"{100 * kernel.Seconds / Sum(stage):F1} %") + modelled,
            .. kernel.Flops == 0 ? (string[])["–", "–", "–"] :
            [
                BenchmarkText.Text($"{kernel.Flops / 1e9:F2}"),
                BenchmarkText.Text($"{flops / 1e12:F2}") + modelled,
                BenchmarkText.Percent(flops / ceilings.Flops.Median) + modelled,
            ],
            .. kernel.Bytes == 0 ? (string[])["–", "–", "–"] :
            [
                BenchmarkText.Text($"{kernel.Bytes / 1e6:F2}"),
                BenchmarkText.Text($"{bytes / 1e9:F1}") + modelled,
                BenchmarkText.Percent(bytes / ceilings.Bandwidth.Median) + modelled,
            ],
            .. stage.IsModelled ? (string[])[kernel.Limit!, Blocks(kernel)] : [],
        ];
    }

    /// <summary>Whether the grids were thinned: how many blocks of all launches ran, and of how many.</summary>
    private static string Blocks(KernelTime kernel) => kernel.BlocksRun < kernel.Blocks
        ? BenchmarkText.Text($"thinned, {kernel.BlocksRun} of {kernel.Blocks}") : BenchmarkText.Text($"all {kernel.Blocks}");

    /// <summary>The tables of all stages that have kernels, as Markdown.</summary>
    public static string Markdown(BenchmarkReport report) => string.Concat(report.Stages.Where(s => s.Kernels is not null).Select(s =>
        $"\n{Heading(s)}\n\n" + BenchmarkText.Markdown(Headings(s), Words, s.Kernels!.Select(k => Cells(k, s, report.Ceilings)))));

    /// <summary>A stage's kernels as JSON objects, one per line.</summary>
    public static IEnumerable<string> JsonLines(StageMeasurement stage, Ceilings ceilings) => (stage.Kernels ?? []).Select(k =>
        BenchmarkText.Line(w =>
        {
            w.WriteString("type", "kernel");
            w.WriteString("stage", stage.Stage);
            w.WriteString("op", k.Op);
            w.WriteString("kernel", k.Kernel);
            w.WriteString("shapes", k.Shapes);
            w.WriteNumber("launches", k.Launches);
            BenchmarkText.Write(w, "seconds", k.Seconds);
            if (k.Range is { } range)
            {
                BenchmarkText.Write(w, "seconds_min", range.Min);
                BenchmarkText.Write(w, "seconds_max", range.Max);
            }
            if (stage.IsModelled)
            {
                w.WriteBoolean("modelled", true);
                w.WriteBoolean("thinned", k.BlocksRun < k.Blocks);
                w.WriteNumber("blocks", k.Blocks);
                w.WriteNumber("blocks_run", k.BlocksRun);
            }
            if (k.Limit is { } limit) w.WriteString("limit", limit);
            BenchmarkText.Write(w, "share", k.Seconds / Sum(stage));
            w.WriteNumber("flops", k.Flops);
            BenchmarkText.Write(w, "gflops", k.Flops / k.Seconds / 1e9);
            BenchmarkText.Write(w, "peak_share", k.Flops / k.Seconds / ceilings.Flops.Median);
            w.WriteNumber("bytes", k.Bytes);
            BenchmarkText.Write(w, "gbs", k.Bytes / k.Seconds / 1e9);
            BenchmarkText.Write(w, "bandwidth_share", k.Bytes / k.Seconds / ceilings.Bandwidth.Median);
        }));

    /// <summary>By what how much of the time is limited, the most first.</summary>
    private static string Limits(StageMeasurement stage) => string.Join(", ", stage.Kernels!.GroupBy(k => k.Limit)
        .Select(g => (g.Key, Share: g.Sum(k => k.Seconds) / Sum(stage))).Where(g => g.Share >= 0.02).OrderByDescending(g => g.Share)
        .Select(g => BenchmarkText.Text($"{g.Key} {100 * g.Share:F0} %")));

    private static double Sum(StageMeasurement stage) => stage.Kernels!.Sum(k => k.Seconds);
}
