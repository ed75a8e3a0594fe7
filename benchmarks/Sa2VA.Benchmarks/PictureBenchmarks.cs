using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>A frame of a video as the image encoder wants it.</summary>
public class PillowResizeBenchmarks : OpBenchmark
{
    /// <summary>1080p to a square of the image encoder.</summary>
    [Benchmark(Description = "1920×1080 → 1024×1024")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) =>
        g.Output("y", g.PillowResize(g.Input("x", DType.U8, new Shape(1080, 1920, 3)), 1024, 1024));
}

/// <summary>Masks of a frame's size from logits, as bits.</summary>
public class PackMasksBenchmarks : OpBenchmark
{
    /// <summary>Objects on the frame.</summary>
    [Params(1, 4)]
    public int Objects { get; set; }

    /// <summary>256×256 logits to 1080p.</summary>
    [Benchmark(Description = "256×256 → 1920×1080 bits")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) =>
        g.Output("y", g.PackMasks(g.Input("x", DType.F32, new Shape(Objects, 256 * 256 + 272)), 256, 1024, 1080, 1920));
}
