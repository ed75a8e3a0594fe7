namespace Sa2VA.Core;

/// <summary>x·rsqrt(mean x²+ε)·w over the last axis; x may be a sum that is made on the way, and stored beside the result.</summary>
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

    /// <summary>
    /// What is added to x before it is normalised, rows repeating as those of <see cref="Combine"/>; the sum is what the op writes
    /// besides (<see cref="Op.Besides"/>). Null as networks record it: <see cref="GraphPasses"/> do.
    /// </summary>
    public Tensor? Residual => Inputs.Count > 1 ? Inputs[1] : null;

    /// <summary>The norm of a sum that it makes itself.</summary>
    internal RmsNorm WithSum(Combine sum) => new(sum.Inputs[0], Weight, Epsilon)
    {
        Inputs = sum.Inputs,
        Name = Name,
        Output = Output,
        Besides = [sum.Output],
    };

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
