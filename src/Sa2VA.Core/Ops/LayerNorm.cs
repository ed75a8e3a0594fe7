namespace Sa2VA.Core;

/// <summary>
/// (x−μ)/√(σ²+ε)·w + b over the last axis, biased variance; on a channels-last map this is LayerNorm2d too. x may be a sum that is made on
/// the way, and stored beside the result.
/// </summary>
public sealed class LayerNorm : Op
{
    internal LayerNorm(Tensor x, Weight weight, Weight bias, float epsilon, Activation activation)
    {
        Inputs = [x];
        (Weight, Bias, Epsilon, Activation) = (weight, bias, epsilon, activation);
    }

    /// <summary>[C].</summary>
    public Weight Weight { get; }

    /// <summary>[C].</summary>
    public Weight Bias { get; }

    /// <summary>Added to the variance.</summary>
    public float Epsilon { get; }

    /// <summary>Applied last.</summary>
    public Activation Activation { get; }

    /// <inheritdoc cref="RmsNorm.Residual"/>
    public Tensor? Residual => Inputs.Count > 1 ? Inputs[1] : null;

    /// <inheritdoc cref="RmsNorm.WithSum"/>
    internal LayerNorm WithSum(Combine sum) => new(sum.Inputs[0], Weight, Bias, Epsilon, Activation)
    {
        Inputs = sum.Inputs,
        Name = Name,
        Output = Output,
        Besides = [sum.Output],
    };

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => [Weight, Bias];
}

/// <summary>Recording of <see cref="LayerNorm"/>.</summary>
public static class LayerNormExtensions
{
    /// <summary>Records a layer norm with <c>scope.weight</c> and <c>scope.bias</c>; x may be a view with a row stride.</summary>
    public static Tensor LayerNorm(this GraphBuilder g, Tensor x, WeightScope scope, float epsilon, Activation activation = Activation.None)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(LayerNorm), $"input {x} is not F32.");
        return g.Record(new LayerNorm(x, scope.Get("weight", x.Shape.Last), scope.Get("bias", x.Shape.Last), epsilon, activation),
            DType.F32, x.Shape, x.Length);
    }
}
