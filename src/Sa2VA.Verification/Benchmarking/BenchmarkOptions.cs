using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>Choices of a <see cref="ModelBenchmark"/>.</summary>
public sealed record BenchmarkOptions
{
    /// <summary>Where and how to compute: the processors or an NVIDIA GPU.</summary>
    public Device Device { get; init; } = new CpuDevice();

    /// <summary>
    /// What tells the modelled times of the device; null, the usual, where times are measured. With it only stages that are one graph are
    /// known (<see cref="ModelBenchmark.GraphStageNames"/>), each with its kernels.
    /// </summary>
    public ModelledDevice? Modelled { get; init; }

    /// <summary>Timed runs of each stage, at least 1; one untimed run comes first.</summary>
    public int Runs { get; init; } = 5;

    /// <summary>Stages to measure, in this order, of <see cref="ModelBenchmark.StageNames"/>; null means all.</summary>
    public IReadOnlyList<string>? Stages { get; init; }

    /// <summary>True to time the kernels of each stage that is one graph too (<see cref="StageMeasurement.Kernels"/>).</summary>
    public bool Kernels { get; init; }

    /// <summary>True to keep what ran and when in one more run of each stage (<see cref="StageMeasurement.Trace"/>).</summary>
    public bool Trace { get; init; }

    /// <summary>Told what is known so far when the ceilings have been measured and after each stage.</summary>
    public IProgress<BenchmarkReport>? Measured { get; init; }

    /// <summary>How much a GPU does for a measurement.</summary>
    internal GpuEffort GpuEffort { get; init; } = new();
}
