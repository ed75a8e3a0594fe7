using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A prompt as graph inputs, on a frame's features: language, points, boxes or a mask.</summary>
internal sealed class FramePrompt
{
    /// <summary>Most sparse rows of a prompt.</summary>
    public const int MaxSparse = 64;

    private const int OutputTokens = 6;
    private readonly RuntimeScalar _sparseCount, _tokenCount;

    /// <param name="g">Graph.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="dense">True to take a dense prompt as input; false for "no mask".</param>
    public FramePrompt(GraphBuilder g, GroundingConfig config, bool dense)
    {
        int grid = config.ImageSize / 16, width = config.DModel;
        _sparseCount = g.Scalar("sparse", MaxSparse);
        _tokenCount = g.Sum("tokens", MaxSparse + OutputTokens, OutputTokens, _sparseCount);
        Sparse = g.Input("sparse", DType.F32, new Shape(MaxSparse, width), _sparseCount);
        Dense = dense ? g.Input("dense", DType.F32, new Shape(grid * grid, width)) : null;
    }

    /// <summary>[n, D].</summary>
    public Tensor Sparse { get; }

    /// <summary>[G², D], or null.</summary>
    public Tensor? Dense { get; }

    /// <summary>Records the mask decoder.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="features">Tokens [G², D] that know of the memory, or of there being none.</param>
    /// <param name="high">Finer features.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="w">The weights below <c>sam2_model</c>.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="multimask">True to choose among candidates 1…3.</param>
    public DecodedMask Decode(GraphBuilder g, Tensor features, HighResolution high, PromptEncoder prompts, WeightScope w,
        GroundingConfig config, bool multimask)
    {
        Tensor source = g.Add(features, Dense ?? PromptEncoder.NoMask(g, w.At("sam_prompt_encoder"), config.DModel));
        return MaskDecoder.Record(g, new(source, Sparse, _tokenCount, high, ObjectBatch.One), prompts, w, config, multimask);
    }

    /// <summary>Sets the number of sparse rows.</summary>
    public void SetSparse(BoundPlan plan, int rows) => plan.Set(_sparseCount, rows);
}
