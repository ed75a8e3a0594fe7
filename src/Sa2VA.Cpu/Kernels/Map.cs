using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>f(x)·scale + shift.</summary>
internal sealed unsafe class MapKernel(Map op, KernelContext context) : RowKernel(op, context)
{
    private readonly Activation _function = op.Function;
    private readonly float _scale = op.Scale, _shift = op.Shift;

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        // Maps of one channel (mask logits) have rows of one element: contiguous operands are one long row.
        if (x.RowStride == x.Columns)
        {
            Row<T>(x.Row(first), y.Row(first), (end - first) * x.Columns);
            return;
        }
        for (long r = first; r < end; r++) Row<T>(x.Row(r), y.Row(r), x.Columns);
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
