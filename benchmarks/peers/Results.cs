using System.Runtime.InteropServices;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Peers;

/// <summary>Writes what was measured, one JSON object per line, as it becomes known; a table for people goes to standard error.</summary>
internal static class Results
{
    /// <summary>The machine and what is compared.</summary>
    public static void Machine(string[] command, IReadOnlyDictionary<string, string> versions) => Console.WriteLine(BenchmarkText.Line(w =>
    {
        w.WriteString("type", "machine");
        w.WriteString("processor", Processor());
        w.WriteNumber("processors", Environment.ProcessorCount);
        w.WriteString("runtime", RuntimeInformation.FrameworkDescription);
        w.WriteString("system", RuntimeInformation.OSDescription);
        w.WriteString("commit", BenchmarkDevice.Commit);
        w.WriteString("command", "benchmarks/peers " + string.Join(' ', command));
        w.WriteString("date", DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture) + " UTC");
        foreach ((string name, string version) in versions) w.WriteString(name, version);
    }));

    /// <summary>What the contestants of one case took.</summary>
    /// <param name="figure">What was measured.</param>
    /// <param name="work">The case.</param>
    /// <param name="threads">Threads of each contestant.</param>
    /// <param name="flops">Floating-point operations of a run; 0 where they are not what limits.</param>
    /// <param name="bytes">Bytes that a run of each contestant has to read; null where they are not what limits.</param>
    /// <param name="taken">Their times.</param>
    /// <param name="error">How far a contestant's result is from ours, relative to the largest element; null: not compared.</param>
    public static void Case(string figure, string work, int threads, double flops, Func<string, double>? bytes, IReadOnlyList<Taken> taken,
        IReadOnlyDictionary<string, double>? error = null)
    {
        Console.Error.WriteLine($"{figure}, {work}, {threads} thread(s)");
        // The ceiling takes its turns with the others; it is what they are shares of.
        double ceiling = taken.FirstOrDefault(t => t.Name.StartsWith(Ceiling.Prefix, StringComparison.Ordinal)) is { } c
            ? c.Seconds.Median : double.NaN;
        foreach (Taken t in taken)
        {
            bool isCeiling = t.Name.StartsWith(Ceiling.Prefix, StringComparison.Ordinal);
            double work1 = isCeiling ? Ceiling.Amount(t.Name, threads) : bytes?.Invoke(t.Name) ?? flops;
            double rate = work1 / t.Seconds.Median;
            double share = isCeiling ? 1 : rate * ceiling / Ceiling.Amount(bytes is null ? Ceiling.Peak : Ceiling.Read, threads);
            Console.WriteLine(BenchmarkText.Line(w =>
            {
                w.WriteString("type", "peer");
                w.WriteString("figure", figure);
                w.WriteString("case", work);
                w.WriteNumber("threads", threads);
                w.WriteString("who", t.Name);
                w.WriteString("clock", threads == 1 ? "processor" : "wall");
                BenchmarkText.Write(w, "seconds", t.Seconds);
                w.WriteNumber("in_a_row", t.InARow);
                BenchmarkText.Write(w, bytes is null ? "gflops" : "gbs", rate / 1e9);
                BenchmarkText.Write(w, bytes is null ? "peak_share" : "bandwidth_share", share);
                if (!isCeiling) BenchmarkText.Write(w, "times_ours", t.Times);
                if (error is not null && error.TryGetValue(t.Name, out double apart)) w.WriteNumber("relative_error", apart);
                BenchmarkText.Write(w, "cores", t.Cores);
            }));
            Console.Error.WriteLine(BenchmarkText.Text($"  {t.Name,-28} {t.Seconds.Median * 1e3,10:F2} ms ")
                + BenchmarkText.Text($"({t.Seconds.Min * 1e3:F2}–{t.Seconds.Max * 1e3:F2})  {rate / 1e9,7:F1} G/s  {100 * share,4:F0} %  ")
                + BenchmarkText.Text($"times ours {t.Times.Median:F2} ({t.Times.Min:F2}–{t.Times.Max:F2})  cores {t.Cores:F2}"));
        }
    }

    private static string Processor()
    {
        string? Field(string name) => File.ReadLines("/proc/cpuinfo")
            .FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal))?.Split(':', 2)[1].Trim();
        return $"{Field("model name")}, family {Field("cpu family")} model {Field("model\t")}";
    }
}
