namespace Sa2VA.Core;

/// <summary>y = residual + scale ⊙ activation(x·Wᵀ + b) over the last axis.</summary>
public sealed class Linear : Op
{
    internal Linear(Tensor x, Weight weight, Weight? bias, Activation activation, Weight? scale, Tensor? residual)
    {
        Inputs = residual is null ? [x] : [x, residual];
        (Weight, Bias, Activation, Scale) = (weight, bias, activation, scale);
    }

    /// <summary>[out, in]; stored ranks above 2 (1×1 convolutions, patch embeddings) are flattened to that.</summary>
    public Weight Weight { get; }

    /// <summary>[out], or null.</summary>
    public Weight? Bias { get; }

    /// <summary>Applied after the bias.</summary>
    public Activation Activation { get; }

    /// <summary>[out] layer scale, or null.</summary>
    public Weight? Scale { get; }

    /// <summary>Added last, or null.</summary>
    public Tensor? Residual => Inputs.Count > 1 ? Inputs[1] : null;

    /// <summary>Width of the result.</summary>
    public int OutFeatures => Weight.Shape[0];

    /// <summary>Width of x.</summary>
    public int InFeatures => (int)(Weight.Shape.Count / Weight.Shape[0]);

    /// <summary>True when nothing but a bias follows the product.</summary>
    internal bool IsPlain => Activation == Activation.None && Scale is null && Residual is null;

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => new[] { Weight, Bias, Scale }.OfType<Weight>();

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * OutFeatures * InFeatures;
}

/// <summary>Recording of linear layers.</summary>
public static class LinearExtensions
{
    /// <summary>Records a linear layer; x is [.., in] (a view with a row stride will do), the result [.., out].</summary>
    public static Tensor Linear(this GraphBuilder g, Tensor x, Weight weight, Weight? bias = null,
        Activation activation = Activation.None, Weight? scale = null, Tensor? residual = null)
    {
        var op = new Linear(x, weight, bias, activation, scale, residual);
        if (x.Type != DType.F32 || x.Shape.Last != op.InFeatures)
            throw g.Error(nameof(Linear), $"input {x} does not fit weight {weight}.");
        if (bias is not null && bias.Shape.Count != op.OutFeatures)
            throw g.Error(nameof(Linear), $"bias {bias} does not fit weight {weight}.");
        if (scale is not null && scale.Shape.Count != op.OutFeatures)
            throw g.Error(nameof(Linear), $"scale {scale} does not fit weight {weight}.");
        Shape shape = x.Shape.WithLast(op.OutFeatures);
        if (residual is not null && (residual.Shape.Last != shape.Last || residual.Shape.Rows != shape.Rows || residual.Length != x.Length))
            throw g.Error(nameof(Linear), $"residual {residual} does not fit the result {shape} of weight {weight}.");
        return g.Record(op, DType.F32, shape, x.Length, weight.Name);
    }

    /// <summary>Records the linear layer stored as <c>scope.weight</c> [out, in] with <c>scope.bias</c> [out].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">[.., in].</param>
    /// <param name="scope">Where the layer's weights are.</param>
    /// <param name="outFeatures">Width that config.json asks for; checked.</param>
    /// <param name="activation">Applied after the bias.</param>
    /// <param name="scale">Layer scale [out].</param>
    /// <param name="residual">Added last.</param>
    /// <param name="bias">False for a layer without bias.</param>
    public static Tensor Linear(this GraphBuilder g, Tensor x, WeightScope scope, int outFeatures,
        Activation activation = Activation.None, Weight? scale = null, Tensor? residual = null, bool bias = true) =>
        g.Linear(x, scope.Get("weight", outFeatures, x.Shape.Last), bias ? scope.Get("bias", outFeatures) : null, activation, scale,
            residual);

    /// <summary>Records a linear layer over the channels of a map that is stored as a 1×1 convolution [out, in, 1, 1].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">[.., in].</param>
    /// <param name="scope">Where the layer's weights are.</param>
    /// <param name="outChannels">Width that config.json asks for; checked.</param>
    /// <param name="residual">Added last.</param>
    public static Tensor Pointwise(this GraphBuilder g, Tensor x, WeightScope scope, int outChannels, Tensor? residual = null) =>
        g.Linear(x, scope.Get("weight", outChannels, x.Shape.Last, 1, 1), scope.Get("bias", outChannels), residual: residual);
}
