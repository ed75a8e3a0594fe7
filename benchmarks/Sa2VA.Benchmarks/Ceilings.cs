using System.Globalization;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Benchmarks;

/// <summary>The machine's ceilings, measured when a column first asks for them: in the same process, right after the benchmarks.</summary>
internal static class Ceilings
{
    private static readonly SortedDictionary<(int Threads, SimdLevel Simd), MachineCeilings> Measured = [];

    /// <summary>
    /// Peak and bandwidth for a number of threads at a width. The best of the runs counts, as it does for the benchmarks.
    /// </summary>
    public static MachineCeilings Of(int threads, SimdLevel simd)
    {
        if (!Measured.TryGetValue((threads, simd), out MachineCeilings? found))
            Measured[(threads, simd)] = found = MachineCeilings.Measure(threads, simd, runs: 15);
        return found;
    }

    /// <summary>All that was measured, a line each.</summary>
    public static string Report() =>
        string.Join(Environment.NewLine, Measured.Values.Select(c => string.Create(CultureInfo.InvariantCulture,
        $"{c.Threads} thread(s), {(int)c.Simd} bits: {Range(c.Flops)} GFLOP/s of fused multiply-adds, "
        + $"{Range(c.Bandwidth)} GB/s read; median (min–max) of {c.Flops.Count}")));

    private static string Range(Spread s) =>
        string.Create(CultureInfo.InvariantCulture, $"{s.Median / 1e9:F1} ({s.Min / 1e9:F1}–{s.Max / 1e9:F1})");
}
