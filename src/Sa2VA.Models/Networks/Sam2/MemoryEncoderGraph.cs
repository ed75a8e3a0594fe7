using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A prompted frame enters an object's bank.</summary>
internal sealed class MemoryEncoderGraph
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="prefix">Of the SAM 2 module's tensors.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="pools">Where banks are kept.</param>
    /// <param name="binary">True to remember what was shown, inside or outside; false to remember how sure that is.</param>
    public MemoryEncoderGraph(IWeightSource weights, string prefix, GroundingConfig config, BankPools pools, bool binary = false)
    {
        var g = new GraphBuilder("memory encoder", weights);
        int side = config.ImageSize / 4;
        F = FrameInputs.DeclareF(g, config);
        Low = g.Input("low", DType.F32, new Shape(1, side * side));
        Pointer = g.Input("pointer", DType.F32, new Shape(1, config.DModel));
        Bank = new MemoryBankTensors(g, config, pools, ObjectBatch.One);
        Tensor encoded = MemoryEncoder.Record(g, F, g.Reshape(Low, new Shape(1, side, side, 1)), g.At(prefix).At("memory_encoder"), config,
            binary);
        Bank.Store(g, encoded, Pointer);
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[G², D].</summary>
    public Tensor F { get; }

    /// <summary>Mask logits [1, 16G²].</summary>
    public Tensor Low { get; }

    /// <summary>[1, D].</summary>
    public Tensor Pointer { get; }

    public MemoryBankTensors Bank { get; }
}
