namespace Sa2VA.Core;

/// <summary>
/// Two alternatives for each row by the sign of a number: condition &gt; 0 ? a : b. NaN is no sign: the row is then NaN throughout.
/// </summary>
public sealed class Where : Op
{
    internal Where(Tensor condition, Tensor a, Tensor b) => Inputs = [condition, a, b];
}

/// <summary>Recording of <see cref="Where"/>.</summary>
public static class WhereExtensions
{
    /// <summary>
    /// Records condition &gt; 0 ? a : b; condition has one element for each row of a, b may have fewer rows, which repeat.
    /// </summary>
    public static Tensor Where(this GraphBuilder g, Tensor condition, Tensor a, Tensor b)
    {
        bool repeats = b.Length is null && a.Shape.Rows % b.Shape.Rows == 0, same = a.Shape.Rows == b.Shape.Rows && a.Length == b.Length;
        if (condition.Shape.Count != a.Shape.Rows || condition.Length != a.Length || condition.Type != DType.F32 || a.Type != DType.F32
            || b.Type != DType.F32 || a.Shape.Last != b.Shape.Last || !(repeats || same) || !condition.IsContiguous)
            throw g.Error(nameof(Where), $"inputs {condition}, {a} and {b} do not fit.");
        return g.Record(new Where(condition, a, b), DType.F32, a.Shape, a.Length);
    }
}
