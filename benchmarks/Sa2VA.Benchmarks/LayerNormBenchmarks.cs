using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>Row-wise normalisation, which reads and writes each element once.</summary>
public class LayerNormBenchmarks : OpBenchmark
{
    /// <summary>Rows and width.</summary>
    public sealed record Norm(string Name, int Rows, int Width, Activation Activation) : Work(Name, 0, 8.0 * Rows * Width);

    /// <summary>The vision tower, Hiera's first stage, and the memory encoder's finest map.</summary>
    public static IEnumerable<Norm> Cases =>
    [
        new("1025×1024", 1025, 1024, Activation.None), new("65536×144", 65536, 144, Activation.None),
        new("262144×4 with GELU", 262144, 4, Activation.Gelu), new("65536×16 with GELU", 65536, 16, Activation.Gelu),
    ];

    /// <summary>Shape.</summary>
    [ParamsSource(nameof(Cases))]
    public Norm Case { get; set; } = null!;

    /// <summary>Layer norm.</summary>
    [Benchmark(Description = "layer norm")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights)
    {
        AddWeight(g, weights, "n.weight", DType.F32, Case.Width);
        AddWeight(g, weights, "n.bias", DType.F32, Case.Width);
        g.Output("y", g.LayerNorm(g.Input("x", DType.F32, new Shape(Case.Rows, Case.Width)), g.At("n"), 1e-6f, Case.Activation));
    }
}
