using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A frame with a prompt and no memory: language, points, boxes or a mask.</summary>
internal sealed class PromptedFrameGraph
{
    /// <summary>Most sparse rows of a prompt.</summary>
    public const int MaxSparse = 64;

    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="multimask">True to choose among candidates 1…3.</param>
    /// <param name="dense">True to take a dense prompt as input; false for "no mask".</param>
    /// <param name="noMemory">True to add the embedding that stands for an empty memory; false where the features have it already.</param>
    /// <param name="candidates">True to put out all four candidates as well.</param>
    public PromptedFrameGraph(IWeightSource weights, string prefix, GroundingConfig config, PromptEncoder prompts, bool multimask,
        bool dense,
        bool noMemory = true, bool candidates = false)
    {
        var g = new GraphBuilder("prompted frame", weights);
        WeightScope w = g.At(prefix);
        int width = config.DModel;
        Frame = FrameInputs.Declare(g, config);
        SparseCount = g.Scalar("sparse", MaxSparse);
        _tokenCount = g.Scalar("tokens", MaxSparse + OutputTokens);
        Sparse = g.Input("sparse", DType.F32, new Shape(MaxSparse, width), SparseCount);
        Dense = dense ? g.Input("dense", DType.F32, Frame.F.Shape) : null;

        Tensor src = noMemory ? g.Add(Frame.F, g.Constant(w.Get("no_mem_embed", 1, 1, width), new Shape(1, width))) : Frame.F;
        src = g.Add(src, Dense ?? PromptEncoder.NoMask(g, w.At("sam_prompt_encoder"), width));
        DecodedMask mask = MaskDecoder.Record(g, new(src, Sparse, _tokenCount, Frame.High), prompts, w, config, multimask);
        Outputs = MaskOutputs.Declare(g, mask);
        Candidates = candidates ? g.Output("masks", mask.Masks) : null;
        Graph = g.Build();
    }

    private const int OutputTokens = 6;
    private readonly RuntimeScalar _tokenCount;

    public Graph Graph { get; }

    public FrameInputs Frame { get; }

    /// <summary>Sparse rows.</summary>
    public RuntimeScalar SparseCount { get; }

    /// <summary>[n, D].</summary>
    public Tensor Sparse { get; }

    /// <summary>[G², D], or null.</summary>
    public Tensor? Dense { get; }

    public MaskOutputs Outputs { get; }

    /// <summary>[4, 16G²], if asked for.</summary>
    public Tensor? Candidates { get; }

    /// <summary>Sets the number of sparse rows.</summary>
    public void SetSparse(PlanBindings bindings, int rows) => bindings.Set(SparseCount, rows).Set(_tokenCount, rows + OutputTokens);
}
