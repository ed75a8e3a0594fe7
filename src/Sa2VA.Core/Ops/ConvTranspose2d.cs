namespace Sa2VA.Core;

/// <summary>
/// Transposed convolution 2×2 with stride 2, plus optional maps of the result's size, or one that all results share; weight [Ci, Co, 2, 2].
/// </summary>
public sealed class ConvTranspose2d : Op
{
    internal ConvTranspose2d(Tensor x, Weight weight, Weight? bias, Tensor? residual)
    {
        Inputs = residual is null ? [x] : [x, residual];
        (Weight, Bias) = (weight, bias);
    }

    /// <summary>[Ci, Co, 2, 2].</summary>
    public Weight Weight { get; }

    /// <summary>[Co], or null.</summary>
    public Weight? Bias { get; }

    /// <summary>Added to the result, or null.</summary>
    public Tensor? Residual => Inputs.Count > 1 ? Inputs[1] : null;

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [Weight] : [Weight, Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Weight.Shape.Count;
}

/// <summary>Recording of <see cref="ConvTranspose2d"/>.</summary>
public static class ConvTranspose2dExtensions
{
    /// <summary>
    /// Records out[2y+a, 2x+b, o] = bias[o] + Σ_i x[y, x, i]·W[i, o, a, b] (+ residual) for a map [H, W, Ci] or several [B, H, W, Ci]; the
    /// residual may be one map for all of them.
    /// </summary>
    public static Tensor ConvTranspose2d(this GraphBuilder g, Tensor x, WeightScope scope, int outChannels, Tensor? residual = null,
        bool bias = true)
    {
        Conv2dExtensions.CheckMaps(g, nameof(ConvTranspose2d), x);
        Weight weight = scope.Get("weight", x.Shape.Last, outChannels, 2, 2);
        Shape shape = Conv2dExtensions.MapsLike(x, 2 * x.Shape[-3], 2 * x.Shape[-2], outChannels);
        var one = new Shape(shape[-3], shape[-2], outChannels);
        if (residual is not null && (!residual.IsContiguous || residual.Type != DType.F32
            || !(residual.Shape == one && residual.Length is null || residual.Shape == shape && residual.Length == x.Length)))
            throw g.Error(nameof(ConvTranspose2d), $"residual {residual} does not fit the result {shape} of {weight}.");
        return g.Record(new ConvTranspose2d(x, weight, Conv2dExtensions.BiasOf(scope, outChannels, bias), residual), DType.F32, shape,
            x.Length, weight.Name);
    }
}
