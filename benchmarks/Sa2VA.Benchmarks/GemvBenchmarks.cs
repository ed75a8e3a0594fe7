using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>
/// One row, or the few of chats that decode together, against weights far larger than the caches: a decode step's linear layers. One row is
/// limited by memory; from about four on, reading the weights once leaves the multiply-adds as the limit.
/// </summary>
public class GemvBenchmarks : OpBenchmark
{
    /// <summary>N outputs, K inputs, M rows.</summary>
    public sealed record Gemv(string Name, int N, int K, DType Type, int M = 1)
        : Work(Name, 2.0 * M * N * K, (double)N * K * Type.Size());

    /// <summary>Shapes.</summary>
    public static IEnumerable<Gemv> Cases =>
    [
        new("head 151679×896 bf16", 151679, 896, DType.BF16),
        new("head 92558×2048 f16", 92558, 2048, DType.F16),
        new("65536×2048 f32", 65536, 2048, DType.F32),
        .. from rows in (int[])[2, 4, 8, 16] select new Gemv($"head 151679×896 bf16, {rows} rows", 151679, 896, DType.BF16, rows),
    ];

    /// <summary>Shape and weight type.</summary>
    [ParamsSource(nameof(Cases))]
    public Gemv Case { get; set; } = null!;

    /// <summary>x·Wᵀ.</summary>
    [Benchmark(Description = "gemv")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) =>
        g.Output("y", g.Linear(g.Input("x", DType.F32, new Shape(Case.M, Case.K)), AddWeight(g, weights, "w", Case.Type, Case.N, Case.K)));
}
