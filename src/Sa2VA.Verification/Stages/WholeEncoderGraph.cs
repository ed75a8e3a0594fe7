using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>The image encoder as golden files record it: of 8-bit levels or normalised values, with the trunk's stages put out.</summary>
internal sealed class WholeEncoderGraph
{
    public WholeEncoderGraph(StageContext c, string prefix, bool levels)
    {
        GroundingConfig config = c.Config.Grounding;
        GraphBuilder g = c.Graph();
        Image = g.Input("image", levels ? DType.U8 : DType.F32, new Shape(config.ImageSize, config.ImageSize, 3));
        EncodedImage encoded = ImageEncoder.Record(g, levels ? ImageEncoder.Normalise(g, Image) : Image, g.At(prefix), config);
        Stages = [.. encoded.Stages.Select((s, i) => g.Output(FormattableString.Invariant($"c{i + 1}"), s))];
        F = g.Output("f", encoded.F);
        High = new HighResolution(g.Output("s0", encoded.High.S0), g.Output("s1", encoded.High.S1));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[S, S, 3].</summary>
    public Tensor Image { get; }

    /// <summary>The trunk's residual streams, finest first.</summary>
    public Tensor[] Stages { get; }

    /// <summary>[G², D].</summary>
    public Tensor F { get; }

    /// <summary>Finer features.</summary>
    public HighResolution High { get; }
}
