namespace Sa2VA.Core;

/// <summary>
/// Index of the largest element of each row, the lowest on ties; −1 for a row that holds NaN or an infinity, so that who reads the index
/// knows.
/// </summary>
public sealed class ArgMax : Op
{
    internal ArgMax(Tensor x) => Inputs = [x];
}

/// <summary>Recording of <see cref="ArgMax"/>.</summary>
public static class ArgMaxExtensions
{
    /// <summary>Records the index of each row's largest element: x [.., n] → I32 [rows].</summary>
    public static Tensor ArgMax(this GraphBuilder g, Tensor x)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(ArgMax), $"input {x} is not F32.");
        return g.Record(new ArgMax(x), DType.I32, new Shape((int)x.Shape.Rows), x.Length);
    }
}
