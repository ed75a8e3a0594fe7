using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A frame's tokens look at one object's past: what a tracked frame begins with, by itself, for prompts on that frame.
/// </summary>
internal sealed class MemoryFeaturesGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="pools">Where banks are kept.</param>
    public MemoryFeaturesGraph(IWeightSource weights, string prefix, GroundingConfig config, BankPools pools)
    {
        var g = new GraphBuilder("memory features", weights);
        WeightScope w = g.At(prefix);
        F = FrameInputs.DeclareF(g, config);
        Bank = new MemoryBankTensors(g, config, pools, ObjectBatch.One);
        Selection = new BankSelection(g, config, pools, ObjectBatch.One);
        MemoryRows memory = Bank.Gather(g, Selection, w, config.ImageSize / 16);
        Features = g.Output("features", MemoryAttention.Record(g, F, memory, ObjectBatch.One, w.At("memory_attention"), config));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[G², D].</summary>
    public Tensor F { get; }

    public MemoryBankTensors Bank { get; }

    public BankSelection Selection { get; }

    /// <summary>[G², D].</summary>
    public Tensor Features { get; }
}
