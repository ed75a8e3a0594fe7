using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The vision tower (Chen et al. 2024, docs/model/vision.md#internvit): a plain pre-norm transformer over patches with layer scale and no
/// final norm.
/// </summary>
internal static class InternVit
{
    /// <summary>Records pixels [t, t, 3] → patch vectors [t/14 · t/14, C], the class token dropped.</summary>
    public static Tensor Record(GraphBuilder g, Tensor pixels, WeightScope w, InternVitConfig config)
    {
        int c = config.HiddenSize, grid = pixels.Shape[0] / config.PatchSize, patches = grid * grid;
        Tensor x = g.Conv2d(pixels, w.At("embeddings.patch_embedding"), c, config.PatchSize, stride: config.PatchSize, padding: 0);
        Tensor cls = g.Constant(w.Get("embeddings.class_embedding", 1, 1, c), new Shape(1, c));
        x = g.Concat([cls, g.Reshape(x, new Shape(patches, c))]);
        x = g.Add(x, Position(g, x.Shape, w, grid, config));
        for (int i = 0; i < config.SelectedLayers; i++) x = Layer(g, x, w.At("encoder.layers").At(i), config);
        return g.SliceRows(x, 1, patches);
    }

    /// <summary>Records one layer on tokens [n, C].</summary>
    public static Tensor Layer(GraphBuilder g, Tensor x, WeightScope w, InternVitConfig config)
    {
        x = g.Linear(Attention(g, Norm(g, x, w.At("norm1"), config), w.At("attn"), config), w.At("attn.proj"), config.HiddenSize,
            scale: w.Get("ls1", config.HiddenSize), residual: x);
        Tensor hidden = g.Linear(Norm(g, x, w.At("norm2"), config), w.At("mlp.fc1"), config.IntermediateSize, Activation.Gelu);
        return g.Linear(hidden, w.At("mlp.fc2"), config.HiddenSize, scale: w.Get("ls2", config.HiddenSize), residual: x);
    }

    private static Tensor Attention(GraphBuilder g, Tensor x, WeightScope w, InternVitConfig config)
    {
        int c = config.HiddenSize;
        Tensor qkv = g.Linear(x, w.At("qkv"), 3 * c, bias: config.QkvBias);
        Tensor q = g.SliceChannels(qkv, 0, c), k = g.SliceChannels(qkv, c, c), v = g.SliceChannels(qkv, 2 * c, c);
        if (config.QkNormalization)
        {
            q = g.RmsNorm(q, w.At("q_norm"), config.Epsilon);
            k = g.RmsNorm(k, w.At("k_norm"), config.Epsilon);
        }
        return g.FlashAttention(q, k, v, config.Heads, config.Heads, 1 / MathF.Sqrt(c / config.Heads));
    }

    private static Tensor Norm(GraphBuilder g, Tensor x, WeightScope w, InternVitConfig config) =>
        config.RmsNorm ? g.RmsNorm(x, w, config.Epsilon) : g.LayerNorm(x, w, config.Epsilon);

    /// <summary>The learned table [n² + 1, C], its grid part resampled when the image has another grid than the table.</summary>
    private static Tensor Position(GraphBuilder g, Shape shape, WeightScope w, int grid, InternVitConfig config)
    {
        int c = config.HiddenSize, stored = config.ImageSize / config.PatchSize;
        Weight weight = w.Get("embeddings.position_embedding", 1, stored * stored + 1, c);
        return stored == grid
            ? g.Constant(weight, shape)
            : g.Constant(FormattableString.Invariant($"bicubic patch positions, grid {stored} to {grid}, channels {c}"), shape,
                to => Resample(weight.ReadValues(), stored, to, grid, c), weight);
    }

    private static void Resample(float[] table, int stored, Span<float> resampled, int grid, int c)
    {
        CubicTaps[] taps = CubicTaps.Axis(stored, grid);
        table.AsSpan(0, c).CopyTo(resampled);
        var widened = new float[stored * grid];
        for (int channel = 0; channel < c; channel++)
        {
            for (int y = 0; y < stored; y++)
                for (int x = 0; x < grid; x++) widened[y * grid + x] = taps[x].Apply(table, c + y * stored * c + channel, c);
            for (int y = 0; y < grid; y++)
                for (int x = 0; x < grid; x++) resampled[c + (y * grid + x) * c + channel] = taps[y].Apply(widened, x, grid);
        }
    }
}

/// <summary>
/// Between the tower and the language model (docs/model/vision.md#projector): four patches become one token, then an MLP.
/// </summary>
internal static class Projector
{
    private const float Epsilon = 1e-5f;

    /// <summary>Records patch vectors [n, C] of a square grid → tokens [n/4, H].</summary>
    public static Tensor Record(GraphBuilder g, Tensor patches, WeightScope w, InternVitConfig config, int hidden)
    {
        int c = config.HiddenSize, grid = (int)Math.Sqrt(patches.Shape[0]);
        Tensor shuffled = g.PixelShuffle(g.Reshape(patches, new Shape(grid, grid, c)), config.TransposedShuffle);
        return Mlp(g, shuffled, w, hidden);
    }

    /// <summary>Records <c>mlp1</c> on rows [k, 4C] → [k, H].</summary>
    public static Tensor Mlp(GraphBuilder g, Tensor x, WeightScope w, int hidden) =>
        g.Linear(g.Linear(g.LayerNorm(x, w.At("0"), Epsilon), w.At("1"), hidden, Activation.Gelu), w.At("3"), hidden);
}
