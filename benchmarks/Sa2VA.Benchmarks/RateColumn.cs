using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Benchmarks;

/// <summary>A rate of the best iteration, or its share of what the machine can do.</summary>
internal sealed class RateColumn : IColumn
{
    private readonly Func<Work, double, Func<MachineCeilings>, double> _value;
    private readonly string _format;

    private RateColumn(string name, string legend, string format, Func<Work, double, Func<MachineCeilings>, double> value) =>
        (ColumnName, Legend, _format, _value) = (name, legend, format, value);

    public static RateColumn Compute { get; } =
        new("GFLOP/s", "Floating-point operations per second of the fastest iteration", "F1", (w, s, _) => w.Flops / s / 1e9);

    public static RateColumn PeakShare { get; } =
        new("of peak", "GFLOP/s relative to the best measured fused multiply-add rate of as many threads at the same width", "P0",
        (w, s, c) => w.Flops == 0 ? 0 : w.Flops / s / c().Flops.Max);

    public static RateColumn Traffic { get; } =
        new("GB/s", "Bytes of weights and caches per second of the fastest iteration", "F1", (w, s, _) => w.Bytes / s / 1e9);

    public static RateColumn BandwidthShare { get; } =
        new("of bandwidth", "GB/s relative to the best measured read bandwidth of as many threads", "P0",
        (w, s, c) => w.Bytes == 0 ? 0 : w.Bytes / s / c().Bandwidth.Max);

    public string Id => $"{nameof(RateColumn)}.{ColumnName}";
    public string ColumnName { get; }
    public string Legend { get; }
    public bool AlwaysShow => true;
    public ColumnCategory Category => ColumnCategory.Custom;
    public int PriorityInCategory => 0;
    public bool IsNumeric => true;
    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
    {
        Work? work = benchmarkCase.Parameters.Items.Select(p => p.Value).OfType<Work>().FirstOrDefault();
        if (work is null || summary[benchmarkCase]?.ResultStatistics is not { } statistics) return "";
        int threads = benchmarkCase.Parameters.Items.Select(p => p.Value).OfType<int>().FirstOrDefault(1);
        SimdLevel simd = benchmarkCase.Parameters.Items.Select(p => p.Value).OfType<SimdLevel>().FirstOrDefault(CpuFeatures.Available[^1]);
        double value = _value(work, statistics.Min * 1e-9, () => Ceilings.Of(threads, simd));
        return value == 0 ? "" : value.ToString(_format, CultureInfo.InvariantCulture);
    }
}
