using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One tile → its tokens, written into the image rows that the language model reads.</summary>
internal sealed class VisionTowerGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="capacity">Rows of <see cref="Tokens"/>.</param>
    /// <param name="table">Normalised value by channel and 8-bit level [3, 256]; null when the input is normalised already (F32).</param>
    /// <param name="patches">True to put out the patch vectors as well.</param>
    public VisionTowerGraph(IWeightSource weights, VisionConfig config, int hidden, int capacity, float[]? table, bool patches = false)
    {
        var g = new GraphBuilder("vision tower", weights);
        int t = config.TileSize;
        Image = g.Input("tile", table is null ? DType.F32 : DType.U8, new Shape(t, t, 3));
        Tokens = g.State("image tokens", DType.F32, new Shape(capacity, hidden));
        FirstRow = g.Scalar("first_row", capacity);
        Tensor pixels = table is null ? Image : g.Normalize(Image, g.Constant("normalization", new Shape(3, 256), table));
        Tensor x = InternVit.Record(g, pixels, g.At("vision_model"), config);
        g.WriteRows(Tokens, Projector.Record(g, x, g.At("mlp1"), config, hidden), FirstRow);
        Patches = patches ? g.Output("patches", x) : null;
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[t, t, 3].</summary>
    public Tensor Image { get; }

    /// <summary>[capacity, H].</summary>
    public Tensor Tokens { get; }

    /// <summary>Row that the tile's first token goes to.</summary>
    public RuntimeScalar FirstRow { get; }

    /// <summary>[n², C], if asked for.</summary>
    public Tensor? Patches { get; }
}
