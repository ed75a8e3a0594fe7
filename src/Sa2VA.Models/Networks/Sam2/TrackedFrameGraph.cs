using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A frame without a prompt, for several objects: memory attention, mask decoder, memory encoder.</summary>
internal sealed class TrackedFrameGraph
{
    /// <summary>Most objects of a run.</summary>
    public const int MaxCapacity = 16;

    /// <summary>Objects that the graph has room for which these need: 1, 2, 4, 8 or 16. A run computes for those that are there.</summary>
    public static int CapacityFor(int objects)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(objects, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(objects, MaxCapacity);
        return (int)BitOperations.RoundUpToPowerOf2((uint)objects);
    }

    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="prompts">The model's prompt encoder.</param>
    /// <param name="pools">Where banks are kept.</param>
    /// <param name="capacity">Most objects.</param>
    /// <param name="decoder">The decoder that tracks.</param>
    public TrackedFrameGraph(IWeightSource weights, string prefix, GroundingConfig config, PromptEncoder prompts, BankPools pools,
        int capacity = 1, string decoder = MaskDecoder.Name)
    {
        var g = new GraphBuilder("tracked frame", weights);
        WeightScope w = g.At(prefix);
        int grid = config.ImageSize / 16, width = config.DModel;
        Objects = capacity == 1 ? ObjectBatch.One : new ObjectBatch(g, capacity);
        Frame = FrameInputs.Declare(g, config);
        Bank = new MemoryBankTensors(g, config, pools, Objects);
        Selection = new BankSelection(g, config, pools, Objects);

        Tensor conditioned = MemoryAttention.Record(g, Frame.F, Bank.Gather(g, Selection, w, grid), Objects, w.At("memory_attention"),
            config);
        Tensor src = g.Add(conditioned, PromptEncoder.NoMask(g, w.At("sam_prompt_encoder"), width));
        Tensor sparse = prompts.EmptySparse(g);
        DecodedMask mask = MaskDecoder.Record(g, new(src, sparse, null, Frame.High, Objects), prompts, w, config, multimask: true,
            decoder);
        Results = new MaskResultRows(g, config, mask, Objects);
        Tensor low = g.Reshape(mask.Low, new Shape(capacity, 4 * grid, 4 * grid, 1), Objects.Count);
        Bank.Store(g, MemoryEncoder.Record(g, Frame.F, low, w.At("memory_encoder"), config), mask.Pointer);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    public ObjectBatch Objects { get; }

    public FrameInputs Frame { get; }

    public MemoryBankTensors Bank { get; }

    public BankSelection Selection { get; }

    public MaskResultRows Results { get; }
}
