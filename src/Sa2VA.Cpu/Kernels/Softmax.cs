using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>exp(x−max)/Σ over the last axis.</summary>
internal sealed unsafe class SoftmaxKernel(Softmax op, KernelContext context) : RowKernel(op, context)
{
    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        int n = x.Columns;
        for (long r = first; r < end; r++)
        {
            float* from = x.Row(r), to = y.Row(r);
            T max = T.Create(RowReduction.Max<T>(from, n));
            int c = 0;
            for (; c <= n - T.Count; c += T.Count) T.Store(VectorMath.Exp(T.Load(from + c) - max), to + c);
            if (c < n) VectorMath.StorePartial(VectorMath.Exp(VectorMath.LoadPartial<T>(from + c, n - c) - max), to + c, n - c);
            T sum = T.Create(RowReduction.Sum<T>(to, n));
            for (c = 0; c <= n - T.Count; c += T.Count) T.Store(T.Load(to + c) / sum, to + c);
            if (c < n) VectorMath.StorePartial(VectorMath.LoadPartial<T>(to + c, n - c) / sum, to + c, n - c);
        }
    }
}
