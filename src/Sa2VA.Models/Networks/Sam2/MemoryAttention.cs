using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The frame's tokens look at themselves and at each object's past (docs/model/memory.md#memory-attention); one head as wide as the model.
/// Until they first look at an object's past, they are the same for all objects, and computed once.
/// </summary>
internal static class MemoryAttention
{
    private const float Epsilon = 1e-5f, PositionWeight = 0.1f;

    /// <summary>Records f [G², D] → features conditioned on each object's memory [objects·G², D].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="f">The frame's tokens.</param>
    /// <param name="memory">What to attend to.</param>
    /// <param name="objects">Whose memory that is.</param>
    /// <param name="w">The weights below <c>memory_attention</c>.</param>
    /// <param name="config">Sizes.</param>
    public static Tensor Record(GraphBuilder g, Tensor f, MemoryRows memory, ObjectBatch objects, WeightScope w, GroundingConfig config)
    {
        int width = config.DModel, grid = config.ImageSize / 16;
        Tensor position = g.Constant(FormattableString.Invariant($"sine positions × {PositionWeight}, grid {grid}, channels {width}"),
            f.Shape, to =>
        {
            SinePosition.Fill(to, grid, grid, width);
            foreach (ref float value in to) value *= PositionWeight;
        });
        Tensor x = g.Add(f, position);
        AxialCode code = AxialCode.Create(g, grid, width);
        for (int i = 0; i < config.MemoryAttentionLayers; i++)
            x = Layer(g, x, memory, objects, code, w.At("layers").At(i), config.MemoryAttentionFfn);
        return g.LayerNorm(x, w.At("norm"), Epsilon);
    }

    /// <summary>Records one layer on x, which is the frame's [G², D] in the first one and then each object's [objects·G², D].</summary>
    public static Tensor Layer(GraphBuilder g, Tensor x, MemoryRows memory, ObjectBatch objects, AxialCode code, WeightScope w, int ffn)
    {
        int width = x.Shape.Last;
        x = SelfAttention(g, x, code, w);
        x = CrossAttention(g, x, memory, objects, code, w);
        Tensor hidden = g.Linear(g.LayerNorm(x, w.At("norm3"), Epsilon), w.At("linear1"), ffn, Activation.Relu);
        return g.Linear(hidden, w.At("linear2"), width, residual: x);
    }

    private static Tensor SelfAttention(GraphBuilder g, Tensor x, AxialCode code, WeightScope layer)
    {
        int width = x.Shape.Last;
        WeightScope w = layer.At("self_attn");
        Tensor n = g.LayerNorm(x, layer.At("norm1"), Epsilon);
        Tensor attended = g.FlashAttention(code.Rotate(g, g.Linear(n, w.At("q_proj"), width)),
            code.Rotate(g, g.Linear(n, w.At("k_proj"), width)),
            g.Linear(n, w.At("v_proj"), width), 1, 1, 1 / MathF.Sqrt(width), groups: x.Shape[0] / code.Rows);
        return g.Linear(attended, w.At("out_proj"), width, residual: x);
    }

    /// <summary>
    /// The value projection comes after the softmax: softmax·(M·Wᵀ + b) = (softmax·M)·Wᵀ + b, as a softmax row sums to 1. The long product
    /// is then Dm wide instead of D, and values need not be projected for every memory row.
    /// </summary>
    private static Tensor CrossAttention(GraphBuilder g, Tensor x, MemoryRows memory, ObjectBatch objects, AxialCode code,
        WeightScope layer)
    {
        int width = x.Shape.Last;
        WeightScope w = layer.At("cross_attn_image");
        Tensor q = code.Rotate(g, g.Linear(g.LayerNorm(x, layer.At("norm2"), Epsilon), w.At("q_proj"), width));
        if (x.Shape[0] == code.Rows) (x, q) = (objects.ForEach(g, x), objects.ForEach(g, q));
        Tensor k = memory.Join(g, code.Rotate(g, Key(memory.Placed)), memory.Pointers is null ? null : Key(memory.Pointers));
        float scale = 1 / MathF.Sqrt(width);
        Tensor attended = memory.Lengths is { } lengths
            ? g.FlashAttention(q, k, memory.Values, new AttentionSegments(lengths.All), 1, 1, scale)
            : g.FlashAttention(q, k, memory.Values, 1, 1, scale);
        return g.Linear(g.Linear(attended, w.At("v_proj"), width), w.At("out_proj"), width, residual: x);

        Tensor Key(Tensor rows) => g.Linear(rows, w.At("k_proj"), width);
    }
}

/// <summary>Constants of the axial rotary code on a G×G grid.</summary>
internal readonly record struct AxialCode(Tensor Cos, Tensor Sin)
{
    public static AxialCode Create(GraphBuilder g, int grid, int width)
    {
        var shape = new Shape(grid * grid, width / 2);
        string key = FormattableString.Invariant($"grid {grid}, channels {width}");
        return new AxialCode(g.Constant($"axial rotary cos, {key}", shape, to => AxialRope.Fill(to, grid, width, MathF.Cos)),
            g.Constant($"axial rotary sin, {key}", shape, to => AxialRope.Fill(to, grid, width, MathF.Sin)));
    }

    /// <summary>Places of the grid.</summary>
    public int Rows => Cos.Shape[0];

    /// <summary>Records the rotation; rows repeat the grid.</summary>
    public Tensor Rotate(GraphBuilder g, Tensor x) => g.RotaryEmbedding(x, Cos, Sin, heads: 1, RotaryPairing.Adjacent);
}
