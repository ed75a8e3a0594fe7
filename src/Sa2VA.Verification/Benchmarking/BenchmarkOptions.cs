using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>Choices of a <see cref="ModelBenchmark"/>.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>Threads; 0 means one per logical processor.</summary>
    public int Threads { get; init; }

    /// <summary>How numbers are stored.</summary>
    public Precision Precision { get; init; }

    /// <summary>Vector width; null means the widest.</summary>
    public SimdLevel? Simd { get; init; }

    /// <summary>Timed runs of each stage, at least 1; one untimed run comes first.</summary>
    public int Runs { get; init; } = 5;

    /// <summary>Stages to measure, in this order, of <see cref="ModelBenchmark.StageNames"/>; null means all.</summary>
    public IReadOnlyList<string>? Stages { get; init; }
}
