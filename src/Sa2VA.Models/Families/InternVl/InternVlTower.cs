using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What the vision tower makes of a tile.</summary>
/// <param name="Patches">Vectors before the projector [n², C].</param>
/// <param name="Tokens">[n²/4, H].</param>
internal readonly record struct TileVectors(Tensor Patches, Tensor Tokens);

/// <summary>The vision graph of the InternVL kinds: InternViT, then the projector with pixel shuffle.</summary>
internal static class InternVlTower
{
    /// <summary>Records 8-bit pixels of a tile [t, t, 3] → its tokens.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="type">What the tokens are stored as.</param>
    public static VisionGraph Graph(IWeightSource weights, VisionConfig config, int hidden, DType type)
    {
        var g = new GraphBuilder("vision tower", weights);
        int t = config.TileSize;
        Tensor image = g.Input("tile", DType.U8, new Shape(t, t, 3));
        Tensor pixels = g.Normalize(image, g.Constant("normalization", new Shape(3, 256), Normalisation.InternVl));
        Tensor tokens = g.Output("tile tokens", g.As(type, Record(g, pixels, config, hidden).Tokens));
        return new VisionGraph(g.Build(), image, tokens);
    }

    /// <summary>Records normalised pixels [t, t, 3] → a tile's vectors.</summary>
    public static TileVectors Record(GraphBuilder g, Tensor pixels, VisionConfig config, int hidden)
    {
        Tensor patches = InternVit.Record(g, pixels, g.At("vision_model"), config);
        return new TileVectors(patches, Projector.Record(g, patches, g.At("mlp1"), config, hidden));
    }
}
