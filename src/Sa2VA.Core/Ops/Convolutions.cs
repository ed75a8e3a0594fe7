namespace Sa2VA.Core;

/// <summary>Cross-correlation with zero padding on a channels-last map; weight [Co, Ci, k, k] as PyTorch stores it.</summary>
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
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * Output.Shape.Rows * Weight.Shape.Count;
}

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
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * Output.Shape.Count * Weight.Shape[2] * Weight.Shape[3];
}

/// <summary>Transposed convolution 2×2 with stride 2, plus an optional map of the result's size; weight [Ci, Co, 2, 2].</summary>
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
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * Inputs[0].Shape.Rows * Weight.Shape.Count;
}

/// <summary>Largest of each 2×2 block; an odd last row or column is dropped.</summary>
public sealed class MaxPool2d : Op
{
    internal MaxPool2d(Tensor x) => Inputs = [x];
}

/// <summary>Recording of the convolutions.</summary>
public static class ConvolutionExtensions
{
    /// <summary>Records a convolution of x [H, W, Ci] → [H', W', Co] with <c>scope.weight</c> and, unless told otherwise, <c>scope.bias</c>.</summary>
    public static Tensor Conv2d(this GraphBuilder g, Tensor x, WeightScope scope, int outChannels, int kernel, int stride, int padding,
        bool bias = true)
    {
        CheckMap(g, nameof(Conv2d), x);
        if (kernel < 1 || stride < 1 || padding < 0 || padding >= kernel)
            throw g.Error(nameof(Conv2d), $"input {x} cannot meet a kernel of {kernel} with stride {stride} and padding {padding}.");
        Weight weight = scope.Get("weight", outChannels, x.Shape.Last, kernel, kernel);
        int h = (x.Shape[0] + 2 * padding - kernel) / stride + 1, w = (x.Shape[1] + 2 * padding - kernel) / stride + 1;
        if (x.Shape[0] + 2 * padding < kernel || x.Shape[1] + 2 * padding < kernel)
            throw g.Error(nameof(Conv2d), $"input {x} is smaller than the kernel of {weight}.");
        return g.Record(new Conv2d(x, weight, BiasOf(scope, outChannels, bias), stride, padding), DType.F32, new Shape(h, w, outChannels), null, weight.Name);
    }

    /// <summary>Records a depthwise convolution of x [H, W, C] with <c>scope.weight</c> [C, 1, k, k] and, unless told otherwise, <c>scope.bias</c>.</summary>
    public static Tensor DepthwiseConv2d(this GraphBuilder g, Tensor x, WeightScope scope, int kernel, bool bias = true)
    {
        CheckMap(g, nameof(DepthwiseConv2d), x);
        if (kernel % 2 == 0) throw g.Error(nameof(DepthwiseConv2d), $"kernel {kernel} is even.");
        Weight weight = scope.Get("weight", x.Shape.Last, 1, kernel, kernel);
        return g.Record(new DepthwiseConv2d(x, weight, BiasOf(scope, x.Shape.Last, bias)), DType.F32, x.Shape, null, weight.Name);
    }

    /// <summary>Records out[2y+a, 2x+b, o] = bias[o] + Σ_i x[y, x, i]·W[i, o, a, b] (+ residual).</summary>
    public static Tensor ConvTranspose2d(this GraphBuilder g, Tensor x, WeightScope scope, int outChannels, Tensor? residual = null, bool bias = true)
    {
        CheckMap(g, nameof(ConvTranspose2d), x);
        Weight weight = scope.Get("weight", x.Shape.Last, outChannels, 2, 2);
        var shape = new Shape(2 * x.Shape[0], 2 * x.Shape[1], outChannels);
        if (residual is not null && (residual.Shape != shape || !residual.IsContiguous))
            throw g.Error(nameof(ConvTranspose2d), $"residual {residual} does not fit the result {shape} of {weight}.");
        return g.Record(new ConvTranspose2d(x, weight, BiasOf(scope, outChannels, bias), residual), DType.F32, shape, null, weight.Name);
    }

    /// <summary>Records a 2×2 max-pool of x [H, W, C].</summary>
    public static Tensor MaxPool2d(this GraphBuilder g, Tensor x)
    {
        CheckMap(g, nameof(MaxPool2d), x);
        if (x.Shape[0] < 2 || x.Shape[1] < 2) throw g.Error(nameof(MaxPool2d), $"input {x} is smaller than 2×2.");
        return g.Record(new MaxPool2d(x), DType.F32, new Shape(x.Shape[0] / 2, x.Shape[1] / 2, x.Shape.Last), null);
    }

    private static Weight? BiasOf(WeightScope scope, int channels, bool bias) => bias ? scope.Get("bias", channels) : null;

    private static void CheckMap(GraphBuilder g, string op, Tensor x)
    {
        if (x.Type != DType.F32 || x.Shape.Rank != 3 || !x.IsContiguous || x.Length is not null)
            throw g.Error(op, $"input {x} is no contiguous F32 map [height, width, channels].");
    }
}
