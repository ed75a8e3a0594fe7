using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Benchmarks;

/// <summary>
/// Processors that the process had from the end of a benchmark's setup until its cleanup: below the threads that it uses, other work on the
/// machine took the rest. What BenchmarkDotNet does between iterations, on one thread, is in it.
/// </summary>
internal sealed class CoresHad : IColumn
{
    private static readonly Dictionary<string, (double Cores, int Threads)> Had = [];
    private static (long Wall, TimeSpan Used) _begun;

    public string Id => nameof(CoresHad);
    public string ColumnName => "Cores had";
    public string Legend => "Processors that the process had while the benchmark ran; below its threads the machine was busy";
    public bool AlwaysShow => true;
    public ColumnCategory Category => ColumnCategory.Custom;
    public int PriorityInCategory => 1;
    public bool IsNumeric => true;
    public UnitType UnitType => UnitType.Dimensionless;

    /// <summary>The benchmark is set up.</summary>
    public static void Begin() => _begun = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);

    /// <summary>It is about to be cleaned up.</summary>
    public static void End(OpBenchmark benchmark) => Had[Key(benchmark)] = (
        (Environment.CpuUsage.TotalTime - _begun.Used) / Stopwatch.GetElapsedTime(_begun.Wall), benchmark.Threads);

    /// <summary>A line for each benchmark that did not have the processors it wanted.</summary>
    public static IEnumerable<string> Busy() => Had.Where(h => h.Value.Cores < BenchmarkText.BusyShare * h.Value.Threads)
        .Select(h => string.Create(CultureInfo.InvariantCulture, $"The machine was busy: {h.Key} had {h.Value.Cores:F1} of ")
            + $"{h.Value.Threads} cores. Other work took the rest; its times are longer than on a quiet machine.");

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    public bool IsAvailable(Summary summary) => true;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) => GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) =>
        Had.TryGetValue(Key(benchmarkCase), out var had) ? had.Cores.ToString("F1", CultureInfo.InvariantCulture) : "";

    private static string Key(OpBenchmark benchmark)
    {
        Type type = benchmark.GetType();
        // The class that runs is derived from the one that is written.
        while (type.BaseType != typeof(OpBenchmark)) type = type.BaseType!;
        return Key(type, type.GetProperties()
            .Where(p => p.IsDefined(typeof(ParamsAttribute)) || p.IsDefined(typeof(ParamsSourceAttribute)))
            .Select(p => (p.Name, p.GetValue(benchmark))));
    }

    private static string Key(BenchmarkCase benchmark) =>
        Key(benchmark.Descriptor.Type, benchmark.Parameters.Items.Select(p => (p.Name, (object?)p.Value)));

    private static string Key(Type type, IEnumerable<(string Name, object? Value)> parameters) =>
        $"{type.Name} {string.Join(", ", parameters.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => $"{p.Name} {p.Value}"))}";
}
