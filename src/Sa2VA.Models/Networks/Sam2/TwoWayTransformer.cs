using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The mask decoder's transformer (Kirillov et al. 2023, docs/model/mask-decoder.md#two-way-transformer): a handful of query tokens and the
/// image's key tokens attend to each other in turn. The original tokens are the queries' position code throughout; values never carry a
/// code. Its projections are few and their digits decide between masks that are nearly as good: it stays F32 throughout.
/// </summary>
internal static class TwoWayTransformer
{
    private const int Heads = 8, Layers = 2;
    private const float Epsilon = 1e-5f;

    /// <summary>
    /// Records tokens [n, D] and src [G², D] with position code pe [G², D] → queries [n, D], keys [G², D], or so for each of several
    /// objects, whose rows stand under each other.
    /// </summary>
    public static (Tensor Queries, Tensor Keys) Record(GraphBuilder g, Tensor src, Tensor pe, Tensor tokens, WeightScope w, int ffn,
        int objects = 1)
    {
        using GraphBuilder.FloatScope _ = g.KeepFloat();
        Tensor queries = tokens, keys = src;
        for (int i = 0; i < Layers; i++)
            (queries, keys) = Layer(g, queries, keys, tokens, pe, w.At("layers").At(i), ffn, first: i == 0, objects);

        int width = src.Shape.Last;
        queries = Attention(g, g.Add(queries, tokens), g.Add(keys, pe), keys, w.At("final_attn_token_to_image"), width / 2,
            queries, objects);
        return (g.LayerNorm(queries, w.At("norm_final_attn"), Epsilon), keys);
    }

    /// <summary>Records one layer; the first one has neither position code nor residual in its self-attention.</summary>
    public static (Tensor Queries, Tensor Keys) Layer(GraphBuilder g, Tensor queries, Tensor keys, Tensor queryPe, Tensor keyPe,
        WeightScope w, int ffn, bool first, int objects = 1)
    {
        using GraphBuilder.FloatScope _ = g.KeepFloat();
        int width = queries.Shape.Last;
        Tensor placed = first ? queries : g.Add(queries, queryPe);
        queries = Attention(g, placed, placed, queries, w.At("self_attn"), width, first ? null : queries, objects);
        queries = g.LayerNorm(queries, w.At("norm1"), Epsilon);

        Tensor placedKeys = g.Add(keys, keyPe);
        queries = Attention(g, g.Add(queries, queryPe), placedKeys, keys, w.At("cross_attn_token_to_image"), width / 2, queries, objects);
        queries = g.LayerNorm(queries, w.At("norm2"), Epsilon);

        Tensor hidden = g.Linear(queries, w.At("mlp.layers.0"), ffn, Activation.Relu);
        queries = g.LayerNorm(g.Linear(hidden, w.At("mlp.layers.1"), width, residual: queries), w.At("norm3"), Epsilon);

        keys = Attention(g, placedKeys, g.Add(queries, queryPe), queries, w.At("cross_attn_image_to_token"), width / 2, keys, objects);
        return (queries, g.LayerNorm(keys, w.At("norm4"), Epsilon));
    }

    /// <summary>Records attention with projections of its own width (docs/model/mask-decoder.md#attention).</summary>
    public static Tensor Attention(GraphBuilder g, Tensor q, Tensor k, Tensor v, WeightScope w, int innerWidth, Tensor? residual = null,
        int objects = 1)
    {
        using GraphBuilder.FloatScope _ = g.KeepFloat();
        Tensor attended = g.FlashAttention(g.Linear(q, w.At("q_proj"), innerWidth), g.Linear(k, w.At("k_proj"), innerWidth),
            g.Linear(v, w.At("v_proj"), innerWidth), Heads, Heads, 1 / MathF.Sqrt(innerWidth / Heads),
            groups: objects);
        return g.Linear(attended, w.At("out_proj"), q.Shape.Last, residual: residual);
    }
}
