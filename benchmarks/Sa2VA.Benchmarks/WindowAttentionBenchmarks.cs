using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>Windowed attention of Hiera-L on a frame of 1024×1024.</summary>
public class WindowAttentionBenchmarks : OpBenchmark
{
    /// <summary>Side of the map, width, heads, side of a window, pooling.</summary>
    public sealed record Window(string Name, int Side, int Channels, int Heads, int Size, bool Pool)
        : Work(Name, 4 * Math.Pow(Math.Ceiling((double)Side / Size), 2) * Math.Pow(Size, 4) / (Pool ? 4 : 1) * Channels, 0);

    /// <summary>One block of each stage, and one that pools.</summary>
    public static IEnumerable<Window> Cases =>
    [
        new("stage 1: 256², 144 in 2 heads, window 8", 256, 144, 2, 8, false),
        new("stage 2 pooling: 256², 288 in 4 heads, window 8", 256, 288, 4, 8, true),
        new("stage 3: 64², 576 in 8 heads, window 14", 64, 576, 8, 14, false),
        new("stage 4: 32², 1152 in 16 heads, window 7", 32, 1152, 16, 7, false),
    ];

    /// <summary>Shape.</summary>
    [ParamsSource(nameof(Cases))]
    public Window Case { get; set; } = null!;

    /// <summary>Attention inside windows.</summary>
    [Benchmark(Description = "window attention")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) => g.Output("y", g.WindowAttention(
        g.Input("qkv", DType.F32, new Shape(Case.Side, Case.Side, 3 * Case.Channels)), null, Case.Heads, Case.Size, Case.Pool, 0.1f));
}
