using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A frame's features finer than the token grid.</summary>
/// <param name="S0">[4G, 4G, D/8].</param>
/// <param name="S1">[2G, 2G, D/4].</param>
internal readonly record struct HighResolution(Tensor S0, Tensor S1);

/// <summary>What the image encoder makes of a frame; shared by all objects on it.</summary>
/// <param name="Stages">The trunk's residual streams, finest first.</param>
/// <param name="F">Tokens [G², D] that decoder and memory read.</param>
/// <param name="High">Finer features for the mask decoder.</param>
/// <param name="TrackerHigh">The same for the decoder that tracks, where that is another one.</param>
internal readonly record struct EncodedImage(Tensor[] Stages, Tensor F, HighResolution High, HighResolution? TrackerHigh = null);

/// <summary>Trunk, neck and the decoder's two convolutions that belong to the frame alone (docs/model/image-encoder.md).</summary>
internal static class ImageEncoder
{
    /// <summary>Records 8-bit levels [S, S, 3] → normalised values.</summary>
    public static Tensor Normalise(GraphBuilder g, Tensor image) =>
        g.Normalize(image, g.Constant("normalization", new Shape(3, 256), Normalisation.GroundingF32));

    /// <summary>Records a normalised image [S, S, 3].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="image">Normalised pixels.</param>
    /// <param name="w">The weights below <c>sam2_model</c>.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="tracker">True if the decoder that tracks is another one.</param>
    public static EncodedImage Record(GraphBuilder g, Tensor image, WeightScope w, GroundingConfig config, bool tracker = false)
    {
        int width = config.DModel, grid = config.ImageSize / 16;
        WeightScope encoder = w.At("image_encoder");
        Tensor[] stages = Hiera.Trunk(g, image, encoder.At("trunk"), config);
        Tensor[] levels = FpnNeck.Levels(g, stages, encoder.At("neck"), width);
        return new EncodedImage(stages, g.Reshape(levels[2], new Shape(grid * grid, width)), High(MaskDecoder.Name),
            tracker ? High(MaskDecoder.TrackerName) : null);

        HighResolution High(string name) => new(g.Pointwise(levels[0], w.At(name).At("conv_s0"), width / 8),
            g.Pointwise(levels[1], w.At(name).At("conv_s1"), width / 4));
    }
}
