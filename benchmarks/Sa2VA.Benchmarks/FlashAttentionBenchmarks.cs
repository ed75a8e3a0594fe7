using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>Attention of many queries at the shapes of Sa2VA-1B.</summary>
public class FlashAttentionBenchmarks : OpBenchmark
{
    /// <summary>Queries, keys, heads, key/value heads, width of a query head and of a value head.</summary>
    public sealed record Attention(string Name, int Queries, int Keys, int Heads, int KvHeads, int Dim, int ValueDim, bool Causal)
        : Work(Name, 2.0 * Heads * (Dim + ValueDim) * (Causal ? Queries * (Queries + 1.0) / 2 : (double)Queries * Keys), 0);

    /// <summary>Shapes.</summary>
    public static IEnumerable<Attention> Cases =>
    [
        new("tower 1025×1025, 16 heads of 64", 1025, 1025, 16, 16, 64, 64, false),
        new("prefill 512 causal, 14/2 heads of 64", 512, 512, 14, 2, 64, 64, true),
        new("memory self 4096×4096, 256", 4096, 4096, 1, 1, 256, 256, false),
        new("memory cross 4096×8192, 256/64", 4096, 8192, 1, 1, 256, 64, false),
    ];

    /// <summary>Shape.</summary>
    [ParamsSource(nameof(Cases))]
    public Attention Case { get; set; } = null!;

    /// <summary>softmax(q·kᵀ)·v.</summary>
    [Benchmark(Description = "flash attention")]
    public void Run() => RunPlan();

    private protected override void Record(GraphBuilder g, TestWeights weights) => g.Output("y", g.FlashAttention(
        g.Input("q", DType.F32, new Shape(Case.Queries, Case.Heads * Case.Dim)),
        g.Input("keys", DType.F32, new Shape(Case.Keys, Case.KvHeads * Case.Dim)),
        g.Input("values", DType.F32, new Shape(Case.Keys, Case.KvHeads * Case.ValueDim)), Case.Heads, Case.KvHeads,
        1 / MathF.Sqrt(Case.Dim), Case.Causal));
}
