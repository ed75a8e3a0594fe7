using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>f(x)·scale + shift.</summary>
internal sealed unsafe class MapKernel(Map op, KernelContext context) : RowKernel(op, context)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Activation _function = op.Function;
    private readonly float _scale = op.Scale, _shift = op.Shift;
    private RowView _x;

    protected override void ResolveInputs(in RunContext run) => _x = _xOperand.Resolve(run);

    protected override void Rows<T>(long first, long end)
    {
        // Maps of one channel (mask logits) have rows of one element: contiguous operands are one long row.
        if (_x.RowStride == _x.Columns)
        {
            Row<T>(_x.Row(first), Out.Row(first), (end - first) * _x.Columns);
            return;
        }
        for (long r = first; r < end; r++) Row<T>(_x.Row(r), Out.Row(r), _x.Columns);
    }

    private void Row<T>(float* x, float* y, long n) where T : unmanaged, ISimd<T>
    {
        long c = 0;
        for (; c <= n - T.Count; c += T.Count) T.Store(Element(T.Load(x + c)), y + c);
        if (c < n) VectorMath.StorePartial(Element(VectorMath.LoadPartial<T>(x + c, (int)(n - c))), y + c, (int)(n - c));
    }

    private T Element<T>(T x) where T : unmanaged, ISimd<T> =>
        T.MultiplyAdd(VectorMath.Activate(x, _function), T.Create(_scale), T.Create(_shift));
}
