using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>What the mask decoder says about objects on one frame; n is their number.</summary>
/// <param name="Masks">Logits of four candidates [n, 4, 16G²], row-major 4G×4G maps.</param>
/// <param name="IouLogits">Predicted IoU of each candidate before the sigmoid [n, 4], which would hide infinity.</param>
/// <param name="Ious">Predicted IoU of each candidate [n, 4], 0…1.</param>
/// <param name="Selected">Index of the chosen candidate, I32 [n].</param>
/// <param name="Low">Logits of the chosen candidate [n, 16G²].</param>
/// <param name="ObjectLogit">Above 0 when the object is in the frame [n, 1].</param>
/// <param name="Pointer">The object's pointer [n, D], replaced by a learned vector when it is absent.</param>
internal readonly record struct DecodedMask(
    Tensor Masks, Tensor IouLogits, Tensor Ious, Tensor Selected, Tensor Low, Tensor ObjectLogit, Tensor Pointer);

/// <summary>What the mask decoder reads of a frame and its prompt.</summary>
/// <param name="Source">Frame features with the dense prompt added, each object's [objects·G², D].</param>
/// <param name="Sparse">Sparse prompt rows, the same for all objects [s, D].</param>
/// <param name="Tokens">Run-time length 6 + s when s is one, which is for one object only; else null.</param>
/// <param name="High">The frame's high-resolution features, which all objects share.</param>
/// <param name="Objects">The objects.</param>
internal readonly record struct MaskDecoderInput(Tensor Source, Tensor Sparse, RuntimeScalar? Tokens, HighResolution High,
    ObjectBatch Objects);

/// <summary>The mask decoder (docs/model/mask-decoder.md): prompt tokens meet the frame's features and come back as masks.</summary>
internal static class MaskDecoder
{
    /// <summary>Where a checkpoint keeps the decoder, and where it is that tracks if it is another one.</summary>
    public const string Name = "sam_mask_decoder", TrackerName = "tracker_mask_decoder";

    /// <summary>What the names of a tracker's tensors begin with.</summary>
    public const string TrackerPrefix = CheckpointTensors.GroundingPrefix + "." + TrackerName + ".";

    private const int MaskTokens = 4, ObjectRow = 0, IouRow = 1, FirstMaskRow = 2;
    private const float Epsilon = 1e-6f;

    /// <summary>Records the decoder.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="input">What is decoded.</param>
    /// <param name="prompts">Gives the position code of the map.</param>
    /// <param name="w">The weights below <c>sam2_model</c>.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="multimask">True to choose among candidates 1…3; false to prefer candidate 0 while it is stable.</param>
    /// <param name="name">Of the decoder.</param>
    public static DecodedMask Record(GraphBuilder g, MaskDecoderInput input, PromptEncoder prompts, WeightScope w, GroundingConfig config,
        bool multimask, string name = Name)
    {
        int width = config.DModel, grid = config.ImageSize / 16;
        ObjectBatch objects = input.Objects;
        WeightScope decoder = w.At(name);
        Tensor pe = prompts.ImagePosition(g, grid);
        Tensor t0 = g.Concat(
        [
            g.Constant(decoder.Get("obj_score_token.weight", 1, width)),
            g.Constant(decoder.Get("iou_token.weight", 1, width)),
            g.Constant(decoder.Get("mask_tokens.weight", MaskTokens, width)),
            input.Sparse,
        ], input.Tokens);
        int tokens = t0.Shape[0];
        (Tensor queries, Tensor keys) = TwoWayTransformer.Record(g, input.Source, pe, objects.ForEach(g, t0), decoder.At("transformer"),
            config.MaskDecoderFfn, objects.Capacity);

        Tensor iouLogits = Mlp.Record(g, Rows(IouRow), decoder.At("iou_prediction_head"), config.IouHeadHidden, MaskTokens);
        Tensor ious = g.Map(iouLogits, Activation.Sigmoid);
        Tensor objectLogit = Mlp.Record(g, Rows(ObjectRow), decoder.At("pred_obj_score_head"), width, 1);
        Tensor upscaled = Upscale(g, objects.Maps(g, keys, grid, grid), input.High, decoder);

        // One small perceptron per mask token.
        var vectors = new Tensor[MaskTokens];
        for (int j = 0; j < MaskTokens; j++)
            vectors[j] = Mlp.Record(g, Rows(FirstMaskRow + j), decoder.At("output_hypernetworks_mlps").At(j), width, width / 8);
        Tensor hyper = g.Concat(vectors, objects.Rows(g, MaskTokens), objects.Capacity);
        Tensor masks = g.MatMul(OfEach(hyper), upscaled);
        Tensor selected = g.MaskSelect(ious, multimask ? null : masks);

        // Without a choice among several masks the pointer comes from the first mask token, whichever mask is returned.
        Tensor maskRow = multimask ? g.Gather(OfEach(Rows(FirstMaskRow, MaskTokens)), selected) : Rows(FirstMaskRow);
        Tensor present = Mlp.Record(g, maskRow, w.At("obj_ptr_proj"), width, width);
        Tensor pointer = g.Where(objectLogit, present, g.Constant(w.Get("no_obj_ptr", 1, width)));
        return new DecodedMask(masks, iouLogits, ious, selected, g.Gather(masks, selected), objectLogit, pointer);

        Tensor Rows(int first, int count = 1) => objects.Slice(g, queries, tokens, first, count);

        // Four rows of each object.
        Tensor OfEach(Tensor rows) => g.Reshape(rows.IsContiguous ? rows : g.Copy(rows),
            new Shape(objects.Capacity, MaskTokens, (int)(rows.Shape.Count / (objects.Capacity * MaskTokens))), objects.Count);
    }

    /// <summary>Records keys [n, G, G, D] → [n, 4G, 4G, D/8] with the frame's finer features added on the way.</summary>
    private static Tensor Upscale(GraphBuilder g, Tensor keys, HighResolution features, WeightScope decoder)
    {
        WeightScope w = decoder.At("output_upscaling");
        int width = keys.Shape.Last;
        Tensor x = g.ConvTranspose2d(keys, w.At(0), width / 4, residual: features.S1);
        x = g.LayerNorm(x, w.At(1), Epsilon, Activation.Gelu);
        return g.Map(g.ConvTranspose2d(x, w.At(3), width / 8, residual: features.S0), Activation.Gelu);
    }
}
