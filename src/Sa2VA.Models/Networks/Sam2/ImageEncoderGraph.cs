using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Once per frame, whatever the number of objects: pixels → features.</summary>
internal sealed class ImageEncoderGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="tracker">True if the decoder that tracks is another one.</param>
    public ImageEncoderGraph(IWeightSource weights, string prefix, GroundingConfig config, bool tracker = false)
    {
        var g = new GraphBuilder("image encoder", weights);
        Image = g.Input("image", DType.U8, new Shape(config.ImageSize, config.ImageSize, 3));
        Tensor pixels = ImageEncoder.Normalise(g, Image);
        EncodedImage encoded = ImageEncoder.Record(g, pixels, g.At(prefix), config, tracker);
        F = g.Output("f", encoded.F);
        High = new HighResolution(g.Output("s0", encoded.High.S0), g.Output("s1", encoded.High.S1));
        if (encoded.TrackerHigh is { } high)
            TrackerHigh = new HighResolution(g.Output("tracker s0", high.S0), g.Output("tracker s1", high.S1));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>8-bit levels [S, S, 3].</summary>
    public Tensor Image { get; }

    /// <summary>[G², D].</summary>
    public Tensor F { get; }

    /// <summary>Finer features.</summary>
    public HighResolution High { get; }

    /// <summary>Finer features for the decoder that tracks; null where that is no other one.</summary>
    public HighResolution? TrackerHigh { get; }
}
