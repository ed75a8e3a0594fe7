namespace Sa2VA.Core;

/// <summary>
/// A linear layer on the pixels of a map in <see cref="ZOrder"/>, of whose results the largest of each 2×2 block is stored: [H, W, in] →
/// [H/2, W/2, out]. No network records it; a pass that a backend may ask for does (<see cref="GraphPasses.ZOrdered"/>).
/// </summary>
public sealed class LinearMaxPool : Op
{
    internal LinearMaxPool(Linear layer)
    {
        Inputs = layer.Inputs;
        (Weight, Bias) = (layer.Weight, layer.Bias);
    }

    /// <summary>[out, in].</summary>
    public Weight Weight { get; }

    /// <summary>[out], or null.</summary>
    public Weight? Bias { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [Weight] : [Weight, Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Weight.Shape.Count;
}
