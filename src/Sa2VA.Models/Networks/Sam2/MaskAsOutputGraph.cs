using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A frame whose mask is given as the truth (docs/model/mask-decoder.md#given-masks): the mask itself is the result, and the decoder runs
/// only for the object's pointer, on features that stand without memory.
/// </summary>
internal sealed class MaskAsOutputGraph
{
    /// <summary>Logit of a pixel inside, and of an object that is there.</summary>
    public const float InsideLogit = 10;

    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="decoder">The decoder that tracks: the pointer is for it.</param>
    public MaskAsOutputGraph(IWeightSource weights, string prefix, GroundingConfig config, PromptEncoder prompts,
        string decoder = MaskDecoder.Name)
    {
        var g = new GraphBuilder("mask as output", weights);
        WeightScope w = g.At(prefix);
        int grid = config.ImageSize / 16, width = config.DModel, side = 4 * grid;
        Frame = FrameInputs.Declare(g, config);
        Mask = g.Input("mask", DType.F32, new Shape(config.ImageSize, config.ImageSize, 1));
        AnyInside = g.Input("any_inside", DType.F32, new Shape(1));

        Tensor logits = g.Map(Mask, Activation.None, 2 * InsideLogit, -InsideLogit);
        Low = g.Output("low", g.Reshape(g.Resize(logits, side, side, ResizeMode.BilinearAntialias), new Shape(1, side * side)));

        Tensor shrunk = g.Conv2d(Mask, w.At("mask_downsample"), 1, kernel: 4, stride: 4, padding: 0);
        Tensor dense = PromptEncoder.Dense(g, shrunk, w.At("sam_prompt_encoder"), width);
        Tensor src = g.Add(Frame.F, g.Reshape(dense, Frame.F.Shape));
        Tensor sparse = prompts.EmptySparse(g);
        var input = new MaskDecoderInput(src, sparse, null, Frame.High, ObjectBatch.One);
        DecodedMask decoded = MaskDecoder.Record(g, input, prompts, w, config, multimask: false, decoder);

        // The decoder has its say about the object's presence, then the given mask has.
        Pointer = g.Output("pointer", g.Where(AnyInside, decoded.Pointer, g.Constant(w.Get("no_obj_ptr", 1, width))));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    public FrameInputs Frame { get; }

    /// <summary>0 or 1 per pixel [S, S, 1].</summary>
    public Tensor Mask { get; }

    /// <summary>1 if any pixel of the mask is inside, else 0 [1].</summary>
    public Tensor AnyInside { get; }

    /// <summary>Mask logits [1, 16G²], ±10 away from the border.</summary>
    public Tensor Low { get; }

    /// <summary>[1, D].</summary>
    public Tensor Pointer { get; }
}
