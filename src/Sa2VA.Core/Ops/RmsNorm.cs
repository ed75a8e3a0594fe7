namespace Sa2VA.Core;

/// <summary>x·rsqrt(mean x²+ε)·w over the last axis.</summary>
public sealed class RmsNorm : Op
{
    internal RmsNorm(Tensor x, Weight weight, float epsilon)
    {
        Inputs = [x];
        (Weight, Epsilon) = (weight, epsilon);
    }

    /// <summary>[C].</summary>
    public Weight Weight { get; }

    /// <summary>Added to the mean square.</summary>
    public float Epsilon { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => [Weight];
}

/// <summary>Recording of <see cref="RmsNorm"/>.</summary>
public static class RmsNormExtensions
{
    /// <summary>Records an RMS norm with <c>scope.weight</c>; x may be a view with a row stride.</summary>
    public static Tensor RmsNorm(this GraphBuilder g, Tensor x, WeightScope scope, float epsilon)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(RmsNorm), $"input {x} is not F32.");
        return g.Record(new RmsNorm(x, scope.Get("weight", x.Shape.Last), epsilon), DType.F32, x.Shape, x.Length);
    }
}
