using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Frame features as graph inputs: what <see cref="ImageEncoderGraph"/> puts out.</summary>
internal readonly record struct FrameInputs(Tensor F, HighResolution High)
{
    public static FrameInputs Declare(GraphBuilder g, GroundingConfig config)
    {
        int grid = config.ImageSize / 16, width = config.DModel;
        return new FrameInputs(DeclareF(g, config), new HighResolution(
            g.Input("s0", DType.F32, new Shape(4 * grid, 4 * grid, width / 8)),
            g.Input("s1", DType.F32, new Shape(2 * grid, 2 * grid, width / 4))));
    }

    public static Tensor DeclareF(GraphBuilder g, GroundingConfig config)
    {
        int grid = config.ImageSize / 16;
        return g.Input("f", DType.F32, new Shape(grid * grid, config.DModel));
    }
}

/// <summary>Decoder results as graph outputs, all F32, so that they can lie side by side.</summary>
internal readonly record struct MaskOutputs(Tensor Low, Tensor IouLogits, Tensor Ious, Tensor Selected, Tensor ObjectLogit, Tensor Pointer)
{
    public static MaskOutputs Declare(GraphBuilder g, DecodedMask mask) => new(g.Output("low", mask.Low),
        g.Output("iou_logits", mask.IouLogits), g.Output("ious", mask.Ious), g.Output("selected", g.Copy(mask.Selected, DType.F32)),
        g.Output("object_logit", mask.ObjectLogit), g.Output("pointer", mask.Pointer));
}
