using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A frame without a prompt: memory attention, mask decoder, memory encoder.</summary>
internal sealed class TrackedFrameGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="conditioningFrames">Capacity of the bank.</param>
    public TrackedFrameGraph(IWeightSource weights, string prefix, GroundingConfig config, PromptEncoder prompts, int conditioningFrames)
    {
        var g = new GraphBuilder("tracked frame", weights);
        WeightScope w = g.At(prefix);
        int grid = config.ImageSize / 16, width = config.DModel;
        Frame = FrameInputs.Declare(g, config);
        Bank = new MemoryBankTensors(g, config, conditioningFrames);
        Selection = new BankSelection(g, config, conditioningFrames);

        Tensor conditioned = MemoryAttention.Record(g, Frame.F, Bank.Gather(g, Selection, w, grid), w.At("memory_attention"), config);
        Tensor src = g.Add(conditioned, PromptEncoder.NoMask(g, w.At("sam_prompt_encoder"), width));
        Tensor sparse = prompts.EmptySparse(g);
        DecodedMask mask = MaskDecoder.Record(g, new(src, sparse, null, Frame.High), prompts, w, config, multimask: true);
        Tensor encoded = MemoryEncoder.Record(g, Frame.F, g.Reshape(mask.Low, new Shape(4 * grid, 4 * grid, 1)), w.At("memory_encoder"),
            config);
        Bank.Store(g, encoded, mask.Pointer);

        Outputs = MaskOutputs.Declare(g, mask);
        Memory = g.Output("memory", encoded);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    public FrameInputs Frame { get; }

    public MemoryBankTensors Bank { get; }

    public BankSelection Selection { get; }

    public MaskOutputs Outputs { get; }

    /// <summary>The memory before it is rounded for the bank [G, G, Dm].</summary>
    public Tensor Memory { get; }
}
