using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Once per frame, whatever the number of objects: pixels → features.</summary>
internal sealed class ImageEncoderGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="table">Normalised value by channel and 8-bit level [3, 256]; null when the input is normalised already (F32).</param>
    /// <param name="stages">True to put out the trunk's four stages as well.</param>
    public ImageEncoderGraph(IWeightSource weights, string prefix, GroundingConfig config, float[]? table, bool stages = false)
    {
        var g = new GraphBuilder("image encoder", weights);
        Image = g.Input("image", table is null ? DType.F32 : DType.U8, new Shape(config.ImageSize, config.ImageSize, 3));
        Tensor pixels = table is null ? Image : g.Normalize(Image, g.Constant("normalization", new Shape(3, 256), table));
        EncodedImage encoded = ImageEncoder.Record(g, pixels, g.At(prefix), config);
        Stages = stages ? [.. encoded.Stages.Select((s, i) => g.Output($"c{i + 1}", s))] : [];
        F = g.Output("f", encoded.F);
        High = new HighResolution(g.Output("s0", encoded.High.S0), g.Output("s1", encoded.High.S1));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[S, S, 3].</summary>
    public Tensor Image { get; }

    /// <summary>Trunk stages, if asked for.</summary>
    public Tensor[] Stages { get; }

    /// <summary>[G², D].</summary>
    public Tensor F { get; }

    /// <summary>Finer features.</summary>
    public HighResolution High { get; }
}
