using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>Convolutions of the image encoder, the vision tower and the memory encoder.</summary>
public class Conv2dBenchmarks : OpBenchmark
{
    /// <summary>Side of the map, channels in and out, kernel, stride, padding.</summary>
    public sealed record Convolution(string Name, int Side, int Inputs, int Outputs, int Kernel, int Stride, int Padding)
        : Work(Name, 2.0 * Math.Pow((Side + 2 * Padding - Kernel) / Stride + 1, 2) * Inputs * Outputs * Kernel * Kernel, 0);

    /// <summary>Shapes.</summary>
    public static IEnumerable<Convolution> Cases =>
    [
        new("Hiera patches 1024², 3→144, 7×7/4", 1024, 3, 144, 7, 4, 3),
        new("tower patches 448², 3→1024, 14×14/14", 448, 3, 1024, 14, 14, 0),
        new("memory 1024², 1→4, 3×3/2", 1024, 1, 4, 3, 2, 1),
        new("memory 128², 64→256, 3×3/2", 128, 64, 256, 3, 2, 1),
    ];

    /// <summary>Shape.</summary>
    [ParamsSource(nameof(Cases))]
    public Convolution Case { get; set; } = null!;

    /// <summary>Convolution.</summary>
    [Benchmark(Description = "conv2d")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights)
    {
        AddWeight(g, weights, "c.weight", DType.BF16, Case.Outputs, Case.Inputs, Case.Kernel, Case.Kernel);
        AddWeight(g, weights, "c.bias", DType.BF16, Case.Outputs);
        g.Output("y", g.Conv2d(g.Input("x", DType.F32, new Shape(Case.Side, Case.Side, Case.Inputs)), g.At("c"), Case.Outputs, Case.Kernel,
            Case.Stride, Case.Padding));
    }
}
