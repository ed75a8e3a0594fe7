using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>The matrix product behind every linear layer: a cube, and shapes of Sa2VA-1B.</summary>
public class GemmBenchmarks : OpBenchmark
{
    /// <summary>M rows, N outputs, K inputs.</summary>
    public sealed record Gemm(string Name, int M, int N, int K, DType Type) : Work(Name, 2.0 * M * N * K, 0);

    /// <summary>Vector widths of this machine.</summary>
    public static IEnumerable<SimdLevel> Levels => CpuFeatures.Available.Reverse();

    /// <summary>Shapes.</summary>
    public static IEnumerable<Gemm> Cases =>
    [
        new("1024³ f32", 1024, 1024, 1024, DType.F32),
        new("1024³ bf16", 1024, 1024, 1024, DType.BF16),
        new("tower MLP 1025×4096×1024", 1025, 4096, 1024, DType.BF16),
        new("prefill MLP 512×4864×896", 512, 4864, 896, DType.BF16),
        new("Hiera MLP 4096×2304×576", 4096, 2304, 576, DType.BF16),
    ];

    /// <summary>Vector width.</summary>
    [ParamsSource(nameof(Levels))]
    public SimdLevel Simd { get; set; }

    /// <summary>Shape and weight type.</summary>
    [ParamsSource(nameof(Cases))]
    public Gemm Case { get; set; } = null!;

    /// <inheritdoc/>
    protected override SimdLevel Level => Simd;

    /// <summary>x·Wᵀ.</summary>
    [Benchmark(Description = "gemm")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) =>
        g.Output("y", g.Linear(g.Input("x", DType.F32, new Shape(Case.M, Case.K)), AddWeight(g, weights, "w", Case.Type, Case.N, Case.K)));
}
