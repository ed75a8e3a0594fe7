namespace Sa2VA.Core;

/// <summary>Cross-correlation with zero padding on channels-last maps; weight [Co, Ci, k, k] as PyTorch stores it.</summary>
public sealed class Conv2d : Op
{
    internal Conv2d(Tensor x, Weight weight, Weight? bias, int stride, int padding)
    {
        Inputs = [x];
        (Weight, Bias, Stride, Padding) = (weight, bias, stride, padding);
    }

    /// <summary>[Co, Ci, k, k].</summary>
    public Weight Weight { get; }

    /// <summary>[Co], or null.</summary>
    public Weight? Bias { get; }

    /// <summary>Step in both directions.</summary>
    public int Stride { get; }

    /// <summary>Zeros on each side.</summary>
    public int Padding { get; }

    /// <summary>k.</summary>
    public int Kernel => Weight.Shape[2];

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [Weight] : [Weight, Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Output, scalars) * Weight.Shape.Count;
}

/// <summary>Recording of <see cref="Conv2d"/>.</summary>
public static class Conv2dExtensions
{
    /// <summary>
    /// Records a convolution of x [H, W, Ci] → [H', W', Co], or of several maps [B, H, W, Ci], with <c>scope.weight</c> and, unless told
    /// otherwise, <c>scope.bias</c>.
    /// </summary>
    public static Tensor Conv2d(this GraphBuilder g, Tensor x, WeightScope scope, int outChannels, int kernel, int stride, int padding,
        bool bias = true)
    {
        CheckMaps(g, nameof(Conv2d), x);
        if (kernel < 1 || stride < 1 || padding < 0 || padding >= kernel)
            throw g.Error(nameof(Conv2d), $"input {x} cannot meet a kernel of {kernel} with stride {stride} and padding {padding}.");
        Weight weight = scope.Get("weight", outChannels, x.Shape.Last, kernel, kernel);
        int h = (x.Shape[-3] + 2 * padding - kernel) / stride + 1, w = (x.Shape[-2] + 2 * padding - kernel) / stride + 1;
        if (x.Shape[-3] + 2 * padding < kernel || x.Shape[-2] + 2 * padding < kernel)
            throw g.Error(nameof(Conv2d), $"input {x} is smaller than the kernel of {weight}.");
        return g.Record(new Conv2d(x, weight, BiasOf(scope, outChannels, bias), stride, padding), DType.F32,
            MapsLike(x, h, w, outChannels), x.Length, weight.Name);
    }

    internal static Weight? BiasOf(WeightScope scope, int channels, bool bias) => bias ? scope.Get("bias", channels) : null;

    internal static void CheckMap(GraphBuilder g, string op, Tensor x)
    {
        if (x.Type != DType.F32 || x.Shape.Rank != 3 || !x.IsContiguous || x.Length is not null)
            throw g.Error(op, $"input {x} is no contiguous F32 map [height, width, channels].");
    }

    /// <summary>One map [H, W, C], or B of them [B, H, W, C], whose number may be a run-time length.</summary>
    internal static void CheckMaps(GraphBuilder g, string op, Tensor x)
    {
        if (x.Shape.Rank != 4) CheckMap(g, op, x);
        else if (x.Type != DType.F32 || !x.IsContiguous)
            throw g.Error(op, $"input {x} is no contiguous F32 list of maps [maps, height, width, channels].");
    }

    /// <summary>As many maps of another size.</summary>
    internal static Shape MapsLike(Tensor x, int height, int width, int channels) =>
        x.Shape.Rank == 4 ? new Shape(x.Shape[0], height, width, channels) : new Shape(height, width, channels);
}
