namespace Sa2VA.Core;

/// <summary>
/// Two alternatives by the sign of one number: condition &gt; 0 ? a : b. NaN is no sign: the result is then NaN throughout.
/// </summary>
public sealed class Where : Op
{
    internal Where(Tensor condition, Tensor a, Tensor b) => Inputs = [condition, a, b];
}

/// <summary>Recording of <see cref="Where"/>.</summary>
public static class WhereExtensions
{
    /// <summary>Records condition &gt; 0 ? a : b; condition has one element.</summary>
    public static Tensor Where(this GraphBuilder g, Tensor condition, Tensor a, Tensor b)
    {
        if (condition.Shape.Count != 1 || condition.Type != DType.F32 || a.Type != DType.F32 || b.Type != DType.F32
            || a.Shape.Count != b.Shape.Count || !a.IsContiguous || !b.IsContiguous)
            throw g.Error(nameof(Where), $"inputs {condition}, {a} and {b} do not fit.");
        return g.Record(new Where(condition, a, b), DType.F32, a.Shape, null);
    }
}
