using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The keys and values of one layer: pools of pages that are filled by the rows of each run.</summary>
internal readonly record struct LayerCache(Tensor Keys, Tensor Values);

/// <summary>Angles of rotary positions.</summary>
/// <param name="Cos">Cosines [positions, d/2].</param>
/// <param name="Sin">Sines [positions, d/2].</param>
/// <param name="Positions">The table row for each row, I32 [n]; null where the tables have a row for each.</param>
internal readonly record struct RotaryTables(Tensor Cos, Tensor Sin, Tensor? Positions)
{
    /// <summary>Records the rotation of rows [n, heads·d].</summary>
    public Tensor Rotate(GraphBuilder g, Tensor x, int heads) => Positions is null
        ? g.RotaryEmbedding(x, Cos, Sin, heads, RotaryPairing.Half)
        : g.RotaryEmbedding(x, Cos, Sin, Positions, heads, RotaryPairing.Half);
}

/// <summary>Where a layer's rows stand and what they see.</summary>
/// <param name="Cache">The layer's keys and values.</param>
/// <param name="At">The rows' places in sequences and pools.</param>
/// <param name="Tables">Angles of the positions.</param>
internal readonly record struct LayerPlace(LayerCache Cache, SequenceRows At, RotaryTables Tables);

/// <summary>
/// The language model's layers (docs/model/language.md#layer): pre-norm, rotary positions, grouped-query attention over a cache, SwiGLU.
/// </summary>
internal static class LanguageLayer
{
    /// <summary>Records one layer on rows [n, H].</summary>
    public static Tensor Record(GraphBuilder g, Tensor x, WeightScope w, LayerPlace place, LanguageConfig config)
    {
        using GraphBuilder.BitsScope _ = g.AllowWeightBits(4);
        bool fused = config.Kind == LanguageKind.InternLm2;
        Tensor n = g.RmsNorm(x, w.At(fused ? "attention_norm" : "input_layernorm"), config.Epsilon);
        (Tensor q, Tensor k, Tensor v) = fused
            ? FusedProjection(g, n, w.At("attention.wqkv"), config)
            : Projections(g, n, w.At("self_attn"), config);

        ((Tensor keys, Tensor values), SequenceRows at, RotaryTables tables) = place;
        (q, k) = (tables.Rotate(g, q, config.Heads), tables.Rotate(g, k, config.KvHeads));
        (keys, values) = (g.WriteRows(keys, k, at.Rows), g.WriteRows(values, v, at.Rows));
        float scale = 1 / MathF.Sqrt(config.HeadDim);
        Tensor attended = at.Segments.QueryOffsets is null
            ? g.DecodeAttention(q, keys, values, config.Heads, config.KvHeads, scale, at.Segments)
            : g.FlashAttention(q, keys, values, at.Segments, config.Heads, config.KvHeads, scale, causal: true);
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
