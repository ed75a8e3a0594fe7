using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>How long a stage takes, and what of the machine it uses.</summary>
/// <param name="Stage">Name, as <c>--stages</c> takes it.</param>
/// <param name="Work">What one run does.</param>
/// <param name="Seconds">Time of a run; of each of several that follow each other where <c>InARow</c> says so.</param>
/// <param name="Flops">
/// Floating-point operations of a run: matrix products, attention, convolutions; element-wise work is not counted. 0 where a run is more
/// than one graph.
/// </param>
/// <param name="Bytes">Bytes that a run must read at least once: stored weights and attended caches; intermediates are not counted.</param>
/// <param name="Cores">
/// Processors that the process had on average, computing or waiting for its own threads: below the number of threads, other work on the
/// machine took the rest.
/// </param>
/// <param name="MemoryBytes">Memory of the device that the stage held alone: weights, intermediates, inputs and outputs.</param>
public sealed record StageMeasurement(string Stage, string Work, Spread Seconds, long Flops, long Bytes, double Cores, long MemoryBytes)
{
    /// <summary>Objects that step in a run, for a stage that several can share; else 0.</summary>
    public int Objects { get; init; }

    /// <summary>Runs that were enqueued together for each timing: a GPU works while the host enqueues the next.</summary>
    public int InARow { get; init; } = 1;

    /// <summary>
    /// Time from enqueuing a single run until the host knows that it is done; null where that is what <see cref="Seconds"/> are.
    /// </summary>
    public Spread? Alone { get; init; }

    /// <summary>
    /// The kernels of a run, the longest first; null where nobody asked for them or what is measured is more than one run of a graph. They
    /// are timed in runs of their own.
    /// </summary>
    public IReadOnlyList<KernelTime>? Kernels { get; init; }

    /// <summary>What a run was made of and when; null as <see cref="Kernels"/>, but for sessions. A run of its own too.</summary>
    public IReadOnlyList<TimedKernel>? Trace { get; init; }

    /// <summary>
    /// True where the times are modelled and nothing was measured: those of the launches of one run, one after the other.
    /// </summary>
    public bool IsModelled { get; init; }

    /// <summary>True where nothing ran: the times of other stages, added up.</summary>
    public bool IsSum { get; init; }

    /// <summary>Floating-point operations per second at the median time.</summary>
    public double FlopsPerSecond => Flops / Seconds.Median;

    /// <summary>Bytes per second at the median time.</summary>
    public double BytesPerSecond => Bytes / Seconds.Median;

    /// <summary>Share of the multiply-add peak, 0…1.</summary>
    public double PeakShare(Ceilings ceilings) => FlopsPerSecond / ceilings.Flops.Median;

    /// <summary>Share of the memory bandwidth, 0…1.</summary>
    public double BandwidthShare(Ceilings ceilings) => BytesPerSecond / ceilings.Bandwidth.Median;
}

/// <summary>All that one run of the benchmark found.</summary>
/// <param name="Model">Checkpoint folder's or preset's name.</param>
/// <param name="Device">What it ran on.</param>
/// <param name="Ceilings">What that can do at most.</param>
/// <param name="Stages">Stages in the order they were measured.</param>
public sealed record BenchmarkReport(string Model, BenchmarkDevice Device, Ceilings Ceilings, IReadOnlyList<StageMeasurement> Stages)
{
    /// <summary>What was found in the model that might not be expected (<see cref="Models.Sa2VAConfig.Notes"/>).</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
