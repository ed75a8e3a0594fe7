using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The vision tower of the Qwen-VL kinds on packed patches (docs/model/qwen-vl.md#vision-tower).</summary>
internal static class QwenVit
{
    /// <summary>Records patches [n, 3·2·p·p] → vectors [n, C].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="patches">Patches.</param>
    /// <param name="w">Where <c>proj</c> is.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="positions">Added to the vectors, or null.</param>
    public static Tensor Embed(GraphBuilder g, Tensor patches, WeightScope w, QwenVisionConfig config, Tensor? positions = null)
    {
        int c = config.HiddenSize, p = config.PatchSize;
        WeightScope proj = w.At("proj");
        return g.Linear(patches, proj.Get("weight", c, 3, QwenVisionConfig.Temporal, p, p),
            config.Kind == QwenVlKind.Qwen3 ? proj.Get("bias", c) : null, residual: positions);
    }

    /// <summary>Records one layer on patch vectors [n, C].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">Patch vectors.</param>
    /// <param name="w">The layer's weights.</param>
    /// <param name="place">Angles of each row.</param>
    /// <param name="segments">Windows; null where all rows see each other.</param>
    /// <param name="config">Sizes.</param>
    public static Tensor Layer(GraphBuilder g, Tensor x, WeightScope w, RotaryTables place, AttentionSegments? segments,
        QwenVisionConfig config)
    {
        int c = config.HiddenSize, heads = config.Heads;
        WeightScope attention = w.At("attn"), mlp = w.At("mlp");
        Tensor qkv = g.Linear(Norm(g, x, w.At("norm1"), config), attention.At("qkv"), 3 * c);
        Tensor q = place.Rotate(g, g.SliceChannels(qkv, 0, c), heads), k = place.Rotate(g, g.SliceChannels(qkv, c, c), heads);
        Tensor v = g.SliceChannels(qkv, 2 * c, c);
        float scale = 1 / MathF.Sqrt(config.HeadDim);
        Tensor attended = segments is null ? g.FlashAttention(q, k, v, heads, heads, scale)
            : g.FlashAttention(q, k, v, segments, heads, heads, scale);
        x = g.Linear(attended, attention.At("proj"), c, residual: x);
        Tensor n = Norm(g, x, w.At("norm2"), config);
        if (config.Kind == QwenVlKind.Qwen3)
        {
            Tensor inner = g.Linear(n, mlp.At("linear_fc1"), config.IntermediateSize, Activation.GeluTanh);
            return g.Linear(inner, mlp.At("linear_fc2"), c, residual: x);
        }
        Tensor gate = g.Linear(n, mlp.At("gate_proj"), config.IntermediateSize);
        Tensor up = g.Linear(n, mlp.At("up_proj"), config.IntermediateSize);
        return g.Linear(g.SwiGlu(gate, up), mlp.At("down_proj"), c, residual: x);
    }

    /// <summary>Records the merger at the tower's end: patch vectors [4m, C] → tokens [m, H].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">Patch vectors, the four of a token under each other.</param>
    /// <param name="w">The merger's weights.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="tokens">Run-time m, where x has a run-time length.</param>
    public static Tensor Merge(GraphBuilder g, Tensor x, WeightScope w, QwenVisionConfig config, int hidden, RuntimeScalar? tokens = null)
    {
        bool qwen3 = config.Kind == QwenVlKind.Qwen3;
        Tensor together = Together(g, Norm(g, x, w.At(qwen3 ? "norm" : "ln_q"), config), config, tokens);
        return Project(g, together, w.At(qwen3 ? "linear_fc1" : "mlp.0"), w.At(qwen3 ? "linear_fc2" : "mlp.2"), hidden);
    }

    /// <summary>
    /// Records a merger behind a layer, for a layer of the language model: as <see cref="Merge"/>, but the norm is over the four patches
    /// of a token together.
    /// </summary>
    public static Tensor MergeDeep(GraphBuilder g, Tensor x, WeightScope w, QwenVisionConfig config, int hidden,
        RuntimeScalar? tokens = null) =>
        Project(g, Norm(g, Together(g, x, config, tokens), w.At("norm"), config), w.At("linear_fc1"), w.At("linear_fc2"), hidden);

    private static Tensor Norm(GraphBuilder g, Tensor x, WeightScope w, QwenVisionConfig config) => config.Kind == QwenVlKind.Qwen3
        ? g.LayerNorm(x, w, QwenVisionConfig.Epsilon)
        : g.RmsNorm(x, w, QwenVisionConfig.Epsilon);

    private static Tensor Together(GraphBuilder g, Tensor x, QwenVisionConfig config, RuntimeScalar? tokens) =>
        g.Reshape(x, new Shape(x.Shape[0] / 4, 4 * config.HiddenSize), tokens);

    private static Tensor Project(GraphBuilder g, Tensor x, WeightScope first, WeightScope second, int hidden) =>
        g.Linear(g.Linear(x, first, x.Shape.Last, Activation.Gelu), second, hidden);
}
