namespace Sa2VA.GpuBench;

/// <summary>The benchmarks.</summary>
internal static class Benchmarks
{
    public static IReadOnlyList<MicroBenchmark> All { get; } =
        [.. TensorLoops.All, .. ArithmeticLoops.All, .. SharedLoops.All, .. MemoryLoops.All, .. LaunchBenchmarks.All];
}
