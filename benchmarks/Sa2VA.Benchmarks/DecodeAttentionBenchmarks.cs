using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>One query row against a cache.</summary>
public class DecodeAttentionBenchmarks : OpBenchmark
{
    /// <summary>Cached tokens, heads, key/value heads, width of a head.</summary>
    public sealed record Decode(string Name, int Length, int Heads, int KvHeads, int Dim)
        : Work(Name, 4.0 * Length * Heads * Dim, 8.0 * Length * KvHeads * Dim);

    /// <summary>Shapes.</summary>
    public static IEnumerable<Decode> Cases =>
        [new("1024 tokens, 14/2 heads of 64", 1024, 14, 2, 64), new("32768 tokens, 32/8 heads of 128", 32768, 32, 8, 128)];

    /// <summary>Shape.</summary>
    [ParamsSource(nameof(Cases))]
    public Decode Case { get; set; } = null!;

    /// <summary>softmax(q·kᵀ)·v for one row.</summary>
    [Benchmark(Description = "decode attention")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) => g.Output("y", g.DecodeAttention(
        g.Input("q", DType.F32, new Shape(1, Case.Heads * Case.Dim)),
        g.Input("keys", DType.F32, new Shape(Case.Length, Case.KvHeads * Case.Dim)),
        g.Input("values", DType.F32, new Shape(Case.Length, Case.KvHeads * Case.Dim)), Case.Heads, Case.KvHeads, 1 / MathF.Sqrt(Case.Dim)));
}
