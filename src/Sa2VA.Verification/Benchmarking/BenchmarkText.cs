using System.Globalization;
using System.Text;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>A report as text: rows for a table, a Markdown page, lines of JSON.</summary>
public static class BenchmarkText
{
    /// <summary>Of the cores that were asked for, so much must have been had for times to count as those of a quiet machine.</summary>
    public const double BusyShare = 0.9;

    /// <summary>Headings of <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["Stage", "One run", "Time, median (min–max)", "GFLOP", "GFLOP/s", "of peak", "MB read", "GB/s", "of bandwidth", "Cores had",
            "Memory"];

    /// <summary>A stage's line of the table.</summary>
    public static string[] Cells(StageMeasurement stage, Ceilings ceilings) =>
    [
        stage.Stage,
        stage.Work,
        (stage.IsModelled ? Duration(stage.Seconds.Median) : Time(stage.Seconds)) + Modelled(stage)
            + (stage.InARow > 1 ? Text($", of {stage.InARow} in a row") : "")
            + (stage.Objects > 1 ? $", {Duration(stage.Seconds.Median / stage.Objects)}{Modelled(stage)} each" : ""),
        // What a session does besides is not counted.
        .. stage.Flops == 0 ? (string[])["–", "–", "–", "–", "–", "–"] :
        [
            Text($"{stage.Flops / 1e9:F1}"),
            Text($"{stage.FlopsPerSecond / 1e9:F1}") + Modelled(stage),
            Percent(stage.PeakShare(ceilings)) + Modelled(stage),
            Text($"{stage.Bytes / 1e6:F0}"),
            Text($"{stage.BytesPerSecond / 1e9:F1}") + Modelled(stage),
            Percent(stage.BandwidthShare(ceilings)) + Modelled(stage),
        ],
        stage.IsModelled || stage.IsSum ? "–" : Text($"{stage.Cores:F1}"),
        stage.IsSum ? "–" : Text($"{stage.MemoryBytes / 1048576.0:F0} MiB"),
    ];

    /// <summary>The word that stands beside each number that nothing was measured for.</summary>
    internal static string Modelled(StageMeasurement stage) => stage.IsModelled ? " modelled" : "";

    /// <summary>What was measured, on what, and the ceilings; two lines.</summary>
    public static IReadOnlyList<string> Heading(BenchmarkReport report)
    {
        (BenchmarkDevice d, Ceilings c) = (report.Device, report.Ceilings);
        string flops = Range(c.Flops, 1e-9), bytes = Range(c.Bandwidth, 1e-9);
        string gpu = d.DriverVersion is { } v
            ? Text($", {d.MemoryBytes / 1e9:F1} GB, driver for CUDA {v / 1000}.{v % 1000 / 10}, computing in {PrecisionName(d)}") : "";
        string commit = BenchmarkDevice.Commit is { } id ? $"; commit {id[..Math.Min(10, id.Length)]}" : "";
        return
        [
            Text($"{report.Model} on {d.Description}{gpu}; the machine has {d.Processors} logical processors{commit}."),
            d.IsModelled
                ? Text($"All times and rates are modelled, not measured; of thinned grids a few blocks stand for all. The card: ")
                    + Text($"{c.Flops.Median / 1e9:F0} GFLOP/s, {c.FlopsOf}, ")
                    + Text($"{c.Bandwidth.Median / 1e9:F0} GB/s, {c.BandwidthOf}.")
                : Text($"Measured ceilings, median (min–max) of {c.Flops.Count}: {flops} GFLOP/s of {c.FlopsOf}, ")
                    + Text($"{bytes} GB/s {c.BandwidthOf}."),
        ];
    }

    /// <summary>What to think of when reading the numbers: a busy machine, shares above the whole. A line each.</summary>
    public static IEnumerable<string> Remarks(BenchmarkReport report)
    {
        if (report.Device.Threads is { } threads && !report.Device.IsModelled
            && report.Stages.Where(s => s.Flops > 0 && !s.IsSum && s.Cores < BusyShare * threads).ToArray() is { Length: > 0 } busy)
            yield return Text($"The machine was busy: {string.Join(", ", busy.Select(s => Text($"{s.Stage} had {s.Cores:F1}")))} ")
                + Text($"of {threads} cores. Other work took the rest; times are longer than on a quiet machine.");
        if (report.Device.IsModelled) yield break;
        IEnumerable<double> flops = report.Stages.SelectMany(s => (s.Kernels ?? [])
            .Select(k => k.Flops / k.Seconds / report.Ceilings.Flops.Median).Append(s.PeakShare(report.Ceilings)));
        if (flops.Any(f => f > 1))
            yield return $"Shares of the peak above 100 %: the ceiling is {report.Ceilings.FlopsOf}; what multiplies by other units, "
                + "as AMX, or ran while the machine was quieter than when the ceiling was measured, can be above it.";
        IEnumerable<double> bytes = report.Stages.SelectMany(s => (s.Kernels ?? [])
            .Select(k => k.Bytes / k.Seconds / report.Ceilings.Bandwidth.Median).Append(s.BandwidthShare(report.Ceilings)));
        if (bytes.Any(b => b > 1))
            yield return "Shares of the bandwidth above 100 %: the ceiling is memory's. Operands that a cache still holds from the op or "
                + "the run before come faster than that.";
    }

    /// <summary>The report as Markdown: heading lines, then the table, then those of kernels.</summary>
    public static string Markdown(BenchmarkReport report)
    {
        var text = new StringBuilder();
        foreach (string line in Heading(report)) text.Append(line).Append("\n\n");
        text.Append(Markdown(Headings, 2, report.Stages.Select(s => Cells(s, report.Ceilings))));
        foreach (string line in Remarks(report)) text.Append('\n').Append(line).Append('\n');
        return text.Append(KernelText.Markdown(report)).ToString();
    }

    /// <summary>A table.</summary>
    /// <param name="headings">Its first row.</param>
    /// <param name="words">How many of the columns, from the left, are words and not numbers.</param>
    /// <param name="rows">The others.</param>
    internal static string Markdown(IReadOnlyList<string> headings, int words, IEnumerable<string[]> rows)
    {
        var text = new StringBuilder();
        text.Append("| ").AppendJoin(" | ", headings).Append(" |\n");
        text.Append("| ").AppendJoin(" | ", headings.Select((_, i) => i < words ? "---" : "---:")).Append(" |\n");
        foreach (string[] row in rows) text.Append("| ").AppendJoin(" | ", row).Append(" |\n");
        return text.ToString();
    }

    /// <summary>The report as JSON objects, one per line: the machine, then the stages, each with its kernels behind it.</summary>
    public static IEnumerable<string> JsonLines(BenchmarkReport report)
    {
        (BenchmarkDevice d, Ceilings c) = (report.Device, report.Ceilings);
        yield return Line(w =>
        {
            w.WriteString("type", "machine");
            w.WriteString("model", report.Model);
            w.WriteString("commit", BenchmarkDevice.Commit);
            w.WriteString("device", d.Name);
            w.WriteString("description", d.Description);
            w.WriteString("precision", PrecisionName(d));
            w.WriteNumber("processors", d.Processors);
            if (d.Threads is { } threads) w.WriteNumber("threads", threads);
            if (d.Simd is { } simd) w.WriteNumber("simd_bits", (int)simd);
            if (d.DriverVersion is { } version) w.WriteNumber("driver", version);
            if (d.MemoryBytes is { } memory) w.WriteNumber("memory_bytes", memory);
            if (d.IsModelled) w.WriteBoolean("modelled", true);
            Write(w, "peak_gflops", c.Flops.Times(1e-9));
            w.WriteString("peak_of", c.FlopsOf);
            Write(w, "bandwidth_gbs", c.Bandwidth.Times(1e-9));
            w.WriteString("bandwidth_of", c.BandwidthOf);
        });
        foreach (StageMeasurement s in report.Stages)
        {
            yield return Line(w =>
            {
                w.WriteString("type", "stage");
                w.WriteString("stage", s.Stage);
                w.WriteString("work", s.Work);
                Write(w, "seconds", s.Seconds);
                if (s.IsModelled) w.WriteBoolean("modelled", true);
                if (s.IsSum) w.WriteBoolean("sum", true);
                w.WriteNumber("in_a_row", s.InARow);
                if (s.Alone is { } alone) Write(w, "alone_seconds", alone);
                if (s.Objects > 0) w.WriteNumber("objects", s.Objects);
                w.WriteNumber("flops", s.Flops);
                Write(w, "gflops", s.FlopsPerSecond / 1e9);
                Write(w, "peak_share", s.PeakShare(c));
                w.WriteNumber("bytes", s.Bytes);
                Write(w, "gbs", s.BytesPerSecond / 1e9);
                Write(w, "bandwidth_share", s.BandwidthShare(c));
                Write(w, "cores", s.Cores);
                w.WriteNumber("memory_bytes", s.MemoryBytes);
            });
            foreach (string kernel in KernelText.JsonLines(s, c)) yield return kernel;
        }
    }

    private static string PrecisionName(BenchmarkDevice device) => device.Precision.Name();

    internal static string Line(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    // A stage that took no time has an infinite rate, and JSON has no such number.
    internal static void Write(Utf8JsonWriter w, string name, double value)
    {
        if (double.IsFinite(value)) w.WriteNumber(name, value);
        else w.WriteNull(name);
    }

    internal static void Write(Utf8JsonWriter w, string name, Spread spread)
    {
        w.WriteStartObject(name);
        Write(w, "median", spread.Median);
        Write(w, "min", spread.Min);
        Write(w, "max", spread.Max);
        w.WriteNumber("count", spread.Count);
        w.WriteEndObject();
    }

    internal static string Time(Spread s)
    {
        (double factor, string format, string unit) = Unit(s.Median);
        return $"{Range(s, factor, format)} {unit}";
    }

    internal static string Duration(double seconds)
    {
        (double factor, string format, string unit) = Unit(seconds);
        return $"{(seconds * factor).ToString(format, CultureInfo.InvariantCulture)} {unit}";
    }

    private static (double Factor, string Format, string Name) Unit(double seconds) =>
        seconds >= 1 ? (1, "F2", "s") : seconds >= 0.01 ? (1e3, "F1", "ms") : seconds >= 0.001 ? (1e3, "F2", "ms") : (1e6, "F1", "µs");

    internal static string Range(Spread s, double factor, string format = "F1")
    {
        string Number(double value) => (value * factor).ToString(format, CultureInfo.InvariantCulture);
        return $"{Number(s.Median)} ({Number(s.Min)}–{Number(s.Max)})";
    }

    internal static string Percent(double share) => Text($"{100 * share:F0} %");

    internal static string Text(FormattableString text) => FormattableString.Invariant(text);
}
