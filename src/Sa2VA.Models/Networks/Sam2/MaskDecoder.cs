using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What the mask decoder says about one object on one frame.</summary>
/// <param name="Masks">Logits of four candidates [4, 16G²], row-major 4G×4G maps.</param>
/// <param name="IouLogits">Predicted IoU of each candidate before the sigmoid [1, 4], which would hide infinity.</param>
/// <param name="Ious">Predicted IoU of each candidate [1, 4], 0…1.</param>
/// <param name="Selected">Index of the chosen candidate, I32 [1].</param>
/// <param name="Low">Logits of the chosen candidate [1, 16G²].</param>
/// <param name="ObjectLogit">Above 0 when the object is in the frame [1, 1].</param>
/// <param name="Pointer">The object's pointer [1, D], replaced by a learned vector when it is absent.</param>
internal readonly record struct DecodedMask(
    Tensor Masks, Tensor IouLogits, Tensor Ious, Tensor Selected, Tensor Low, Tensor ObjectLogit, Tensor Pointer);

/// <summary>What the mask decoder reads of a frame and its prompt.</summary>
/// <param name="Source">Frame features with the dense prompt added [G², D].</param>
/// <param name="Sparse">Sparse prompt rows [n, D].</param>
/// <param name="Tokens">Run-time length 6 + n when n is one; else null.</param>
/// <param name="High">The frame's high-resolution features.</param>
internal readonly record struct MaskDecoderInput(Tensor Source, Tensor Sparse, RuntimeScalar? Tokens, HighResolution High);

/// <summary>The mask decoder (docs/model/mask-decoder.md): prompt tokens meet the frame's features and come back as masks.</summary>
internal static class MaskDecoder
{
    private const int MaskTokens = 4, FirstMaskRow = 2;
    private const float Epsilon = 1e-6f;

    /// <summary>Records the decoder.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="input">What is decoded.</param>
    /// <param name="prompts">Gives the position code of the map.</param>
    /// <param name="w">The weights below <c>sam2_model</c>.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="multimask">True to choose among candidates 1…3; false to prefer candidate 0 while it is stable.</param>
    public static DecodedMask Record(GraphBuilder g, MaskDecoderInput input, PromptEncoder prompts, WeightScope w, GroundingConfig config,
        bool multimask)
    {
        int width = config.DModel, grid = config.ImageSize / 16;
        WeightScope decoder = w.At("sam_mask_decoder");
        Tensor pe = prompts.ImagePosition(g, grid);
        Tensor t0 = g.Concat(
        [
            g.Constant(decoder.Get("obj_score_token.weight", 1, width)),
            g.Constant(decoder.Get("iou_token.weight", 1, width)),
            g.Constant(decoder.Get("mask_tokens.weight", MaskTokens, width)),
            input.Sparse,
        ], input.Tokens);
        (Tensor queries, Tensor keys) = TwoWayTransformer.Record(g, input.Source, pe, t0, decoder.At("transformer"), config.MaskDecoderFfn);

        Tensor maskRows = g.SliceRows(queries, FirstMaskRow, MaskTokens);
        Tensor iouLogits = Mlp.Record(g, g.SliceRows(queries, 1, 1), decoder.At("iou_prediction_head"), config.IouHeadHidden, MaskTokens);
        Tensor ious = g.Map(iouLogits, Activation.Sigmoid);
        Tensor objectLogit = Mlp.Record(g, g.SliceRows(queries, 0, 1), decoder.At("pred_obj_score_head"), width, 1);
        Tensor upscaled = Upscale(g, g.Reshape(keys, new Shape(grid, grid, width)), input.High, decoder);
        Tensor masks = g.MatMul(Hypernetworks(g, maskRows, decoder, width), upscaled);
        Tensor selected = g.MaskSelect(ious, multimask ? null : masks);

        // Without a choice among several masks the pointer comes from the first mask token, whichever mask is returned.
        Tensor maskRow = multimask ? g.Gather(maskRows, selected) : g.SliceRows(maskRows, 0, 1);
        Tensor present = Mlp.Record(g, maskRow, w.At("obj_ptr_proj"), width, width);
        Tensor pointer = g.Where(objectLogit, present, g.Constant(w.Get("no_obj_ptr", 1, width)));
        return new DecodedMask(masks, iouLogits, ious, selected, g.Gather(masks, selected), objectLogit, pointer);
    }

    /// <summary>Records keys [G, G, D] → [4G, 4G, D/8] with the frame's finer features added on the way.</summary>
    private static Tensor Upscale(GraphBuilder g, Tensor keys, HighResolution features, WeightScope decoder)
    {
        WeightScope w = decoder.At("output_upscaling");
        int width = keys.Shape.Last;
        Tensor x = g.ConvTranspose2d(keys, w.At(0), width / 4, residual: features.S1);
        x = g.LayerNorm(x, w.At(1), Epsilon, Activation.Gelu);
        return g.Map(g.ConvTranspose2d(x, w.At(3), width / 8, residual: features.S0), Activation.Gelu);
    }

    /// <summary>Records one small perceptron per mask token: [4, D] → [4, D/8].</summary>
    private static Tensor Hypernetworks(GraphBuilder g, Tensor maskRows, WeightScope decoder, int width)
    {
        var rows = new Tensor[MaskTokens];
        for (int j = 0; j < MaskTokens; j++)
            rows[j] = Mlp.Record(g, g.SliceRows(maskRows, j, 1), decoder.At("output_hypernetworks_mlps").At(j), width, width / 8);
        return g.Concat(rows);
    }
}
