namespace Sa2VA.Core;

/// <summary>A k×k filter per channel, stride 1, zero padding that keeps the size; weight [C, 1, k, k].</summary>
public sealed class DepthwiseConv2d : Op
{
    internal DepthwiseConv2d(Tensor x, Weight weight, Weight? bias)
    {
        Inputs = [x];
        (Weight, Bias) = (weight, bias);
    }

    /// <summary>[C, 1, k, k], k odd.</summary>
    public Weight Weight { get; }

    /// <summary>[C], or null.</summary>
    public Weight? Bias { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [Weight] : [Weight, Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Output, scalars) * Weight.Shape.Count;
}

/// <summary>Recording of <see cref="DepthwiseConv2d"/>.</summary>
public static class DepthwiseConv2dExtensions
{
    /// <summary>
    /// Records a depthwise convolution of x [H, W, C], or of several maps [B, H, W, C], with <c>scope.weight</c> [C, 1, k, k] and, unless
    /// told otherwise, <c>scope.bias</c>.
    /// </summary>
    public static Tensor DepthwiseConv2d(this GraphBuilder g, Tensor x, WeightScope scope, int kernel, bool bias = true)
    {
        Conv2dExtensions.CheckMaps(g, nameof(DepthwiseConv2d), x);
        if (kernel % 2 == 0) throw g.Error(nameof(DepthwiseConv2d), $"kernel {kernel} is even.");
        Weight weight = scope.Get("weight", x.Shape.Last, 1, kernel, kernel);
        return g.Record(new DepthwiseConv2d(x, weight, Conv2dExtensions.BiasOf(scope, x.Shape.Last, bias)), DType.F32, x.Shape, x.Length,
            weight.Name);
    }
}
