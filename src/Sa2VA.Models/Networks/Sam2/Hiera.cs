using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The image encoder's trunk (Ryali et al. 2023, docs/model/image-encoder.md): four stages of windowed attention on a shrinking
/// channels-last grid.
/// </summary>
internal static class Hiera
{
    private const float Epsilon = 1e-6f;

    /// <summary>Records image [S, S, 3] → the four stages' residual streams [S/4/2^i, S/4/2^i, e·2^i].</summary>
    public static Tensor[] Trunk(GraphBuilder g, Tensor image, WeightScope w, GroundingConfig config)
    {
        var layout = new HieraLayout(config);
        Tensor x = PatchEmbed(g, image, w, config.EmbedDim);
        x = g.Add(x, HieraPosition.Record(g, w, x.Shape[0], config));

        var stages = new List<Tensor>();
        for (int i = 0; i < layout.Blocks.Count; i++)
        {
            x = Block(g, x, w.At("blocks").At(i), layout.Blocks[i]);
            if (layout.StageEnds.Contains(i)) stages.Add(x);
        }
        return [.. stages];
    }

    /// <summary>Records the 7×7 convolution with stride 4 that makes tokens of pixels.</summary>
    public static Tensor PatchEmbed(GraphBuilder g, Tensor image, WeightScope w, int embedDim) =>
        g.Conv2d(image, w.At("patch_embed.proj"), embedDim, kernel: 7, stride: 4, padding: 3);

    /// <summary>Records one block on a grid of any size (docs/model/image-encoder.md#block).</summary>
    public static Tensor Block(GraphBuilder g, Tensor x, WeightScope w, HieraBlock block)
    {
        Tensor n = g.LayerNorm(x, w.At("norm1"), Epsilon);
        Tensor shortcut = block.Pool ? g.MaxPool2d(g.Linear(n, w.At("proj"), block.OutDim)) : x;
        x = g.Linear(Attention(g, n, w.At("attn"), block), w.At("attn.proj"), block.OutDim, residual: shortcut);

        Tensor hidden = g.Linear(g.LayerNorm(x, w.At("norm2"), Epsilon), w.At("mlp.layers.0"), 4 * block.OutDim, Activation.Gelu);
        return g.Linear(hidden, w.At("mlp.layers.1"), block.OutDim, residual: x);
    }

    private static Tensor Attention(GraphBuilder g, Tensor n, WeightScope w, HieraBlock block)
    {
        int dim = block.OutDim;
        float scale = 1 / MathF.Sqrt(dim / block.Heads);
        Tensor qkv = g.Linear(n, w.At("qkv"), 3 * dim);
        if (block.Window > 0) return g.WindowAttention(qkv, w.Get("qkv.bias", 3 * dim), block.Heads, block.Window, block.Pool, scale);

        Tensor all = g.FlashAttention(g.SliceChannels(qkv, 0, dim), g.SliceChannels(qkv, dim, dim), g.SliceChannels(qkv, 2 * dim, dim),
            block.Heads, block.Heads, scale);
        return g.Reshape(all, n.Shape.WithLast(dim));
    }
}
