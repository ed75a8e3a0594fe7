using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>A report as text: rows for a table, a Markdown page, lines of JSON.</summary>
public static class BenchmarkText
{
    /// <summary>Headings of <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["Stage", "One run", "Time, median (min–max)", "GFLOP", "GFLOP/s", "of peak", "MB read", "GB/s", "of bandwidth", "Cores had",
            "Memory"];

    /// <summary>A stage's line of the table.</summary>
    public static string[] Cells(StageMeasurement stage, MachineCeilings ceilings) =>
    [
        stage.Stage,
        stage.Work,
        Time(stage.Seconds) + (stage.Objects > 1 ? $", {Duration(stage.Seconds.Median / stage.Objects)} each" : ""),
        // What a session does besides is not counted.
        .. stage.Flops == 0 ? (string[])["–", "–", "–", "–", "–", "–"] :
        [
            Text($"{stage.Flops / 1e9:F1}"),
            Text($"{stage.FlopsPerSecond / 1e9:F1}"),
            Percent(stage.PeakShare(ceilings)),
            Text($"{stage.Bytes / 1e6:F0}"),
            Text($"{stage.BytesPerSecond / 1e9:F1}"),
            Percent(stage.BandwidthShare(ceilings)),
        ],
        Text($"{stage.Cores:F1}"),
        Text($"{stage.MemoryBytes / 1048576.0:F0} MiB"),
    ];

    /// <summary>What was measured, on what, and the ceilings; two lines.</summary>
    public static IReadOnlyList<string> Heading(BenchmarkReport report)
    {
        MachineCeilings c = report.Ceilings;
        string flops = Range(c.Flops, 1e-9), bytes = Range(c.Bandwidth, 1e-9);
        return
        [
            Text($"{report.Model} on {report.Device}; the machine has {report.Processors} logical processors."),
            Text($"Measured ceilings, median (min–max) of {c.Flops.Count}: {flops} GFLOP/s of fused multiply-adds, {bytes} GB/s read."),
        ];
    }

    /// <summary>The report as Markdown: heading lines, then the table.</summary>
    public static string Markdown(BenchmarkReport report)
    {
        var text = new StringBuilder();
        foreach (string line in Heading(report)) text.Append(line).Append("\n\n");
        text.Append("| ").AppendJoin(" | ", Headings).Append(" |\n");
        text.Append("| ").AppendJoin(" | ", Headings.Select((_, i) => i < 2 ? "---" : "---:")).Append(" |\n");
        foreach (StageMeasurement stage in report.Stages) text.Append("| ").AppendJoin(" | ", Cells(stage, report.Ceilings)).Append(" |\n");
        return text.ToString();
    }

    /// <summary>The report as JSON objects, one per line: the machine, then the stages.</summary>
    public static IEnumerable<string> JsonLines(BenchmarkReport report)
    {
        MachineCeilings c = report.Ceilings;
        yield return Line(w =>
        {
            w.WriteString("type", "machine");
            w.WriteString("model", report.Model);
            w.WriteString("device", report.Device);
            w.WriteNumber("processors", report.Processors);
            w.WriteNumber("threads", c.Threads);
            w.WriteNumber("simd_bits", (int)c.Simd);
            Write(w, "peak_gflops", c.Flops.Times(1e-9));
            Write(w, "bandwidth_gbs", c.Bandwidth.Times(1e-9));
        });
        foreach (StageMeasurement s in report.Stages)
        {
            yield return Line(w =>
            {
                w.WriteString("type", "stage");
                w.WriteString("stage", s.Stage);
                w.WriteString("work", s.Work);
                Write(w, "seconds", s.Seconds);
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
        }
    }

    private static string Line(Action<Utf8JsonWriter> write)
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
    private static void Write(Utf8JsonWriter w, string name, double value)
    {
        if (double.IsFinite(value)) w.WriteNumber(name, value);
        else w.WriteNull(name);
    }

    private static void Write(Utf8JsonWriter w, string name, Spread spread)
    {
        w.WriteStartObject(name);
        Write(w, "median", spread.Median);
        Write(w, "min", spread.Min);
        Write(w, "max", spread.Max);
        w.WriteNumber("count", spread.Count);
        w.WriteEndObject();
    }

    private static string Time(Spread s) => s.Median >= 1 ? $"{Range(s, 1, "F2")} s" : $"{Range(s, 1000)} ms";

    private static string Duration(double seconds) => seconds >= 1 ? Text($"{seconds:F2} s") : Text($"{1000 * seconds:F1} ms");

    private static string Range(Spread s, double factor, string format = "F1")
    {
        string Number(double value) => (value * factor).ToString(format, CultureInfo.InvariantCulture);
        return $"{Number(s.Median)} ({Number(s.Min)}–{Number(s.Max)})";
    }

    private static string Percent(double share) => Text($"{100 * share:F0} %");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
