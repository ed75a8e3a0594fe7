namespace Sa2VA.Core;

/// <summary>exp(x−max)/Σ over the last axis.</summary>
public sealed class Softmax : Op
{
    internal Softmax(Tensor x) => Inputs = [x];
}

/// <summary>Recording of <see cref="Softmax"/>.</summary>
public static class SoftmaxExtensions
{
    /// <summary>Records a softmax over the last axis.</summary>
    public static Tensor Softmax(this GraphBuilder g, Tensor x)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(Softmax), $"input {x} is not F32.");
        return g.Record(new Softmax(x), DType.F32, x.Shape, x.Length);
    }
}
