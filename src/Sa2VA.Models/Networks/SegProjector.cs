using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// From a [SEG] token's state to the vector that prompts SAM 2 (<c>text_hidden_fcs</c>, docs/model/generation.md#seg-vector).
/// </summary>
internal sealed class SegProjector
{
    /// <param name="weights">Checkpoint.</param>
    /// <param name="hidden">H.</param>
    /// <param name="width">D.</param>
    /// <param name="rows">States per run.</param>
    public SegProjector(IWeightSource weights, int hidden, int width, int rows = 1)
    {
        var g = new GraphBuilder("seg projector", weights);
        WeightScope w = g.At("text_hidden_fcs");
        State = g.Input("state", DType.F32, new Shape(rows, hidden));
        Seg = g.Output("seg", g.Linear(g.Linear(State, w.At("0"), hidden, Activation.Relu), w.At("2"), width));
        Graph = g.Build();
    }

    public Graph Graph { get; }

    /// <summary>[rows, H].</summary>
    public Tensor State { get; }

    /// <summary>[rows, D].</summary>
    public Tensor Seg { get; }
}
