namespace Sa2VA.Core;

/// <summary>y = a·bᵀ of two activations: [m, k] and [n, k] → [m, n]. The mask decoder's hypernetwork product.</summary>
public sealed class MatMul : Op
{
    internal MatMul(Tensor a, Tensor b) => Inputs = [a, b];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 2 * RowCount(Inputs[0], scalars) * Inputs[1].Shape.Rows * Inputs[0].Shape.Last;
}

/// <summary>Recording of <see cref="MatMul"/>.</summary>
public static class MatMulExtensions
{
    /// <summary>Records a·bᵀ; b's leading axes are flattened to n.</summary>
    public static Tensor MatMul(this GraphBuilder g, Tensor a, Tensor b)
    {
        if (a.Type != DType.F32 || b.Type != DType.F32 || a.Shape.Last != b.Shape.Last || b.Length is not null)
            throw g.Error(nameof(MatMul), $"inputs {a} and {b} do not fit.");
        return g.Record(new MatMul(a, b), DType.F32, new Shape((int)a.Shape.Rows, (int)b.Shape.Rows), a.Length);
    }
}
