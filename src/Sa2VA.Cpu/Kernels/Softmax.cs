using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>exp(x−max)/Σ over the last axis.</summary>
internal sealed unsafe class SoftmaxKernel(Softmax op, KernelContext context) : RowKernel(op, context)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private RowView _x;

    protected override void ResolveInputs(in RunContext run) => _x = _xOperand.Resolve(run);

    protected override void Rows<T>(long first, long end)
    {
        int n = _x.Columns;
        for (long r = first; r < end; r++)
        {
            float* x = _x.Row(r), y = Out.Row(r);
            T max = T.Create(RowReduction.Max<T>(x, n));
            int c = 0;
            for (; c <= n - T.Count; c += T.Count) T.Store(VectorMath.Exp(T.Load(x + c) - max), y + c);
            if (c < n) VectorMath.StorePartial(VectorMath.Exp(VectorMath.LoadPartial<T>(x + c, n - c) - max), y + c, n - c);
            T sum = T.Create(RowReduction.Sum<T>(y, n));
            for (c = 0; c <= n - T.Count; c += T.Count) T.Store(T.Load(y + c) / sum, y + c);
            if (c < n) VectorMath.StorePartial(VectorMath.LoadPartial<T>(y + c, n - c) / sum, y + c, n - c);
        }
    }
}
