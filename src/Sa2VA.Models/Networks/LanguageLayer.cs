using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The keys and values of one layer: states that grow by the rows of each run.</summary>
internal readonly record struct LayerCache(Tensor Keys, Tensor Values);

/// <summary>Where a run's rows stand in the sequence.</summary>
/// <param name="Start">Rows that the cache holds already.</param>
/// <param name="Length">Rows that it holds afterwards.</param>
/// <param name="Cos">Cosines [positions, d/2].</param>
/// <param name="Sin">Sines [positions, d/2].</param>
internal readonly record struct SequencePosition(RuntimeScalar Start, RuntimeScalar Length, Tensor Cos, Tensor Sin);

/// <summary>
/// The language model's layers (docs/model/language.md#layer): pre-norm, rotary positions, grouped-query attention over a cache, SwiGLU.
/// </summary>
internal static class LanguageLayer
{
    /// <summary>Records one layer on rows [n, H].</summary>
    public static Tensor Record(GraphBuilder g, Tensor x, WeightScope w, LayerCache cache, SequencePosition at, LanguageConfig config)
    {
        bool fused = config.Kind == LanguageKind.InternLm2;
        Tensor n = g.RmsNorm(x, w.At(fused ? "attention_norm" : "input_layernorm"), config.Epsilon);
        (Tensor q, Tensor k, Tensor v) = fused
            ? FusedProjection(g, n, w.At("attention.wqkv"), config)
            : Projections(g, n, w.At("self_attn"), config);

        q = g.RotaryEmbedding(q, at.Cos, at.Sin, config.Heads, RotaryPairing.Half, at.Start);
        k = g.RotaryEmbedding(k, at.Cos, at.Sin, config.KvHeads, RotaryPairing.Half, at.Start);
        Tensor keys = g.WriteRows(cache.Keys, k, at.Start, at.Length), values = g.WriteRows(cache.Values, v, at.Start, at.Length);
        float scale = 1 / MathF.Sqrt(config.HeadDim);
        Tensor attended = x.Shape[0] == 1
            ? g.DecodeAttention(q, keys, values, config.Heads, config.KvHeads, scale)
            : g.FlashAttention(q, keys, values, config.Heads, config.KvHeads, scale, causal: true, at.Start);
        x = g.Linear(attended, w.At(fused ? "attention.wo" : "self_attn.o_proj"), config.HiddenSize, residual: x, bias: config.OutputBias);

        n = g.RmsNorm(x, w.At(fused ? "ffn_norm" : "post_attention_layernorm"), config.Epsilon);
        WeightScope mlp = w.At(fused ? "feed_forward" : "mlp");
        Tensor gate = g.Linear(n, mlp.At(fused ? "w1" : "gate_proj"), config.IntermediateSize, bias: false);
        Tensor up = g.Linear(n, mlp.At(fused ? "w3" : "up_proj"), config.IntermediateSize, bias: false);
        return g.Linear(g.SwiGlu(gate, up), mlp.At(fused ? "w2" : "down_proj"), config.HiddenSize, residual: x, bias: false);
    }

    private static (Tensor Q, Tensor K, Tensor V) Projections(GraphBuilder g, Tensor x, WeightScope w, LanguageConfig config)
    {
        int d = config.HeadDim;
        Tensor q = g.Linear(x, w.At("q_proj"), config.Heads * d, bias: config.Bias),
            k = g.Linear(x, w.At("k_proj"), config.KvHeads * d, bias: config.Bias);
        Tensor v = g.Linear(x, w.At("v_proj"), config.KvHeads * d, bias: config.Bias);
        return config.Kind == LanguageKind.Qwen3
            ? (HeadNorm(g, q, w.At("q_norm"), config), HeadNorm(g, k, w.At("k_norm"), config), v)
            : (q, k, v);
    }

    private static Tensor HeadNorm(GraphBuilder g, Tensor x, WeightScope w, LanguageConfig config)
    {
        Tensor heads = g.Reshape(x, new Shape(x.Shape[0], x.Shape.Last / config.HeadDim, config.HeadDim));
        return g.Reshape(g.RmsNorm(heads, w, config.Epsilon), x.Shape);
    }

    /// <summary>InternLM2 stores rows by key/value head: its group of query heads, then one key head, then one value head.</summary>
    private static (Tensor Q, Tensor K, Tensor V) FusedProjection(GraphBuilder g, Tensor x, WeightScope w, LanguageConfig config)
    {
        int d = config.HeadDim, group = config.Heads / config.KvHeads, stride = (group + 2) * d;
        Weight weight = w.Get("weight", stride * config.KvHeads, config.HiddenSize);
        Weight? bias = config.Bias ? w.Get("bias", stride * config.KvHeads) : null;
        return (Part(0, group * d), Part(group * d, d), Part((group + 1) * d, d));

        Tensor Part(int first, int count)
        {
            var rows = new int[count * config.KvHeads];
            for (int i = 0; i < rows.Length; i++) rows[i] = i / count * stride + first + i % count;
            return g.Linear(x, weight.Reorder(rows), bias?.Reorder(rows));
        }
    }
}
