using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>One row against weights far larger than the caches: a decode step's linear layers, limited by memory.</summary>
public class GemvBenchmarks : OpBenchmark
{
    /// <summary>N outputs, K inputs.</summary>
    public sealed record Gemv(string Name, int N, int K, DType Type) : Work(Name, 2.0 * N * K, (double)N * K * Type.Size());

    /// <summary>Shapes.</summary>
    public static IEnumerable<Gemv> Cases =>
    [
        new("head 151679×896 bf16", 151679, 896, DType.BF16),
        new("head 92558×2048 f16", 92558, 2048, DType.F16),
        new("65536×2048 f32", 65536, 2048, DType.F32),
    ];

    /// <summary>Shape and weight type.</summary>
    [ParamsSource(nameof(Cases))]
    public Gemv Case { get; set; } = null!;

    /// <summary>x·Wᵀ for one row.</summary>
    [Benchmark(Description = "gemv")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) =>
        g.Output("y", g.Linear(g.Input("x", DType.F32, new Shape(1, Case.K)), AddWeight(g, weights, "w", Case.Type, Case.N, Case.K)));
}
