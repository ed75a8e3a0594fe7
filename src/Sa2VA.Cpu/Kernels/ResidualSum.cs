using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>The sum that a norm may take along: its first two operands, added up into what the op writes besides its result.</summary>
internal sealed unsafe class ResidualSum
{
    private readonly Operand? _residualOperand, _sumOperand;
    private RowView _residual, _sum;

    public ResidualSum(Op op, KernelContext context)
    {
        if (op.Besides.Count > 0) (_residualOperand, _sumOperand) = (context.Operand(op.Inputs[1]), context.Operand(op.Besides[0]));
    }

    public void Resolve(in RunContext run)
    {
        if (_residualOperand is { } residual && _sumOperand is { } sum) (_residual, _sum) = (residual.Resolve(run), sum.Resolve(run));
    }

    /// <summary>The row that the norm reads: x's own, or its sum.</summary>
    public float* Row<T>(in RowView x, long r) where T : unmanaged, ISimd<T>
    {
        if (_sumOperand is null) return x.Row(r);
        float* a = x.Row(r), b = _residual.Row(r % _residual.Rows), to = _sum.Row(r);
        int n = x.Columns, c = 0;
        for (; c <= n - T.Count; c += T.Count) T.Store(T.Load(a + c) + T.Load(b + c), to + c);
        for (; c < n; c++) to[c] = a[c] + b[c];
        return to;
    }
}
