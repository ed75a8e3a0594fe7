using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The vision graph of the InternVL kinds: InternViT, then the projector with pixel shuffle.</summary>
internal static class InternVlTower
{
    /// <summary>Records a tile [t, t, 3] → its tokens.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="rows">Rows of the state that is written.</param>
    /// <param name="table">Normalised value by channel and 8-bit level [3, 256]; null when the input is normalised already (F32).</param>
    /// <param name="patches">True to put out the patch vectors [n², C] as well.</param>
    public static VisionGraph Record(IWeightSource weights, VisionConfig config, int hidden, int rows, float[]? table, bool patches = false)
    {
        var g = new GraphBuilder("vision tower", weights);
        int t = config.TileSize;
        Tensor image = g.Input("tile", table is null ? DType.F32 : DType.U8, new Shape(t, t, 3));
        Tensor tokens = g.State("image tokens", DType.F32, new Shape(rows, hidden));
        RuntimeScalar firstRow = g.Scalar("first_row", rows);
        Tensor pixels = table is null ? image : g.Normalize(image, g.Constant("normalization", new Shape(3, 256), table));
        Tensor x = InternVit.Record(g, pixels, g.At("vision_model"), config);
        g.WriteRows(tokens, Projector.Record(g, x, g.At("mlp1"), config, hidden), firstRow);
        Tensor? vectors = patches ? g.Output("patches", x) : null;
        return new VisionGraph(g.Build(), image, tokens, firstRow, config.TokensPerTile) { Patches = vectors };
    }
}
