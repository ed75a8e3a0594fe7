namespace Sa2VA.Core;

/// <summary>
/// <see cref="ArgMax"/> of x·Wᵀ, whose rows are not stored: index of each row's largest product, the lowest on ties, −1 where one is not
/// finite. No network records it; <see cref="GraphPasses"/> do.
/// </summary>
public sealed class LinearArgMax : Op
{
    internal LinearArgMax(Tensor x, Weight weight)
    {
        Inputs = [x];
        Weight = weight;
    }

    /// <summary>[out, in].</summary>
    public Weight Weight { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => [Weight];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Weight.Shape.Count;
}
