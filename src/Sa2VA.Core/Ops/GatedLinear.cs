namespace Sa2VA.Core;

/// <summary>
/// y = silu(x·Gᵀ) ⊙ (x·Uᵀ): two linear layers of one input and SwiGLU in one launch. No network records it; <see cref="GraphPasses"/> do.
/// </summary>
public sealed class GatedLinear : Op
{
    internal GatedLinear(Tensor x, Weight weight)
    {
        Inputs = [x];
        Weight = weight;
    }

    /// <summary>[2·out, in]: G's rows, then U's.</summary>
    public Weight Weight { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => [Weight];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Weight.Shape.Count;
}
