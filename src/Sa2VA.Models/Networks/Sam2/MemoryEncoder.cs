using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A frame's features and each object's mask on it become the memories that later frames attend to (docs/model/memory.md#memory-encoder).
/// </summary>
internal static class MemoryEncoder
{
    private const float Epsilon = 1e-6f, SigmoidScale = 20, SigmoidShift = -10;
    private static readonly (int Layer, int Channels)[] Downsampling = [(0, 4), (3, 16), (6, 64), (9, 256)];

    /// <summary>
    /// Records f [G², D] (as it left the neck) and mask logits low [n, 4G, 4G, 1] → memories [n, G, G, Dm]. What is made of f is the same
    /// for all. A binary mask is inside where its logit is above 0; else it is as soft as its logits say.
    /// </summary>
    public static Tensor Record(GraphBuilder g, Tensor f, Tensor low, WeightScope w, GroundingConfig config, bool binary = false)
    {
        int width = config.DModel, grid = config.ImageSize / 16;
        Tensor logits = g.Resize(low, config.ImageSize, config.ImageSize, ResizeMode.Bilinear);
        Tensor mask = binary
            ? g.Where(logits, g.Map(logits, Activation.None, scale: 0, shift: SigmoidScale + SigmoidShift),
                g.Constant("outside of a mask", new Shape(1, 1), [SigmoidShift]))
            : g.Map(logits, Activation.Sigmoid, SigmoidScale, SigmoidShift);
        Tensor x = Downsample(g, mask, w.At("mask_downsampler"), width);
        x = g.Add(x, g.Pointwise(g.Reshape(f, new Shape(grid, grid, width)), w.At("pix_feat_proj"), width));
        for (int i = 0; i < config.FuserLayers; i++) x = CxBlock(g, x, w.At("fuser.layers").At(i));
        return g.Pointwise(x, w.At("out_proj"), config.MemDim);
    }

    /// <summary>Records the scaled mask [16h, 16w, 1] → [h, w, D], or several.</summary>
    public static Tensor Downsample(GraphBuilder g, Tensor mask, WeightScope w, int width)
    {
        WeightScope layers = w.At("encoder");
        Tensor x = mask;
        foreach ((int layer, int channels) in Downsampling)
        {
            x = g.Conv2d(x, layers.At(layer), channels, kernel: 3, stride: 2, padding: 1);
            x = g.LayerNorm(x, layers.At(layer + 1), Epsilon, Activation.Gelu);
        }
        return g.Pointwise(x, layers.At(12), width);
    }

    /// <summary>Records one ConvNeXt block on x [h, w, C], or several.</summary>
    public static Tensor CxBlock(GraphBuilder g, Tensor x, WeightScope w)
    {
        int width = x.Shape.Last;
        Tensor y = g.LayerNorm(g.DepthwiseConv2d(x, w.At("dwconv"), kernel: 7), w.At("norm"), Epsilon);
        y = g.Linear(y, w.At("pwconv1"), 4 * width, Activation.Gelu);
        return g.Linear(y, w.At("pwconv2"), width, scale: w.Get("g_weight", width), residual: x);
    }
}
