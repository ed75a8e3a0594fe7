namespace Sa2VA.Core;

/// <summary>
/// y = a·bᵀ of two activations: [m, k] and [n, k] → [m, n], or one such product for each of B. The mask decoder's hypernetwork product.
/// </summary>
public sealed class MatMul : Op
{
    internal MatMul(Tensor a, Tensor b) => Inputs = [a, b];

    /// <summary>B: products.</summary>
    public int Count => Inputs[0].Shape.Rank == 3 ? Inputs[0].Shape[0] : 1;

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) =>
        2 * RowCount(Inputs[0], scalars) * (Inputs[1].Shape.Rows / Count) * Inputs[0].Shape.Last;
}

/// <summary>Recording of <see cref="MatMul"/>.</summary>
public static class MatMulExtensions
{
    /// <summary>Records a·bᵀ, a [m, k] or [B, m, k]; b's leading axes, behind the first one of B, are flattened to n.</summary>
    public static Tensor MatMul(this GraphBuilder g, Tensor a, Tensor b)
    {
        bool several = a.Shape.Rank == 3;
        bool fit = several ? b.Shape.Rank > 2 && a.Shape[0] == b.Shape[0] && a.Length == b.Length : b.Length is null;
        if (a.Type != DType.F32 || b.Type != DType.F32 || a.Shape.Rank > 3 || a.Shape.Last != b.Shape.Last || !fit)
            throw g.Error(nameof(MatMul), $"inputs {a} and {b} do not fit.");
        Shape shape = several ? new Shape(a.Shape[0], a.Shape[1], (int)b.RowsPerStep) : new Shape((int)a.Shape.Rows, (int)b.Shape.Rows);
        return g.Record(new MatMul(a, b), DType.F32, shape, a.Length);
    }
}
