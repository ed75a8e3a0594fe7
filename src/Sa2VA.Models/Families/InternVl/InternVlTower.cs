using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What the vision tower makes of a tile.</summary>
/// <param name="Patches">Vectors before the projector [n², C].</param>
/// <param name="Tokens">[n²/4, H].</param>
internal readonly record struct TileVectors(Tensor Patches, Tensor Tokens);

/// <summary>The vision tower of the InternVL kinds: InternViT, then the projector with pixel shuffle.</summary>
internal static class InternVlTower
{
    /// <summary>Records normalised pixels [t, t, 3] → a tile's vectors.</summary>
    public static TileVectors Record(GraphBuilder g, Tensor pixels, InternVitConfig config, int hidden)
    {
        Tensor patches = InternVit.Record(g, pixels, g.At("vision_model"), config);
        return new TileVectors(patches, Projector.Record(g, patches, g.At("mlp1"), config, hidden));
    }
}

/// <summary>The vision graph of the InternVL kinds: 8-bit pixels of a tile [t, t, 3] → its tokens.</summary>
internal sealed class InternVlGraph : VisionGraph
{
    private readonly Tensor _tile;

    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="type">What the tokens are stored as.</param>
    public InternVlGraph(IWeightSource weights, InternVitConfig config, int hidden, DType type)
        : this(Record(weights, config, hidden, type))
    {
    }

    private InternVlGraph((Graph Graph, Tensor Tile, Tensor Tokens) recorded) : base(recorded.Graph, [recorded.Tokens]) =>
        _tile = recorded.Tile;

    public override (int Width, int Height) UsualTile => (_tile.Shape[1], _tile.Shape[0]);

    public override void Write(RgbImage tile, DeviceQueue queue, IReadOnlyDictionary<Tensor, DeviceBuffer> buffers) =>
        queue.Write(buffers[_tile], tile.Pixels);

    private static (Graph, Tensor, Tensor) Record(IWeightSource weights, InternVitConfig config, int hidden, DType type)
    {
        var g = new GraphBuilder("vision tower", weights);
        int t = config.TileSize;
        Tensor tile = g.Input("tile", DType.U8, new Shape(t, t, 3));
        Tensor pixels = g.Normalize(tile, g.Constant("normalization", new Shape(3, 256), Normalisation.InternVl));
        Tensor tokens = g.Output("tile tokens", g.As(type, InternVlTower.Record(g, pixels, config, hidden).Tokens));
        return (g.Build(), tile, tokens);
    }
}
