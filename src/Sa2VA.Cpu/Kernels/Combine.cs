using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Two operands element by element; the second one's rows repeat.</summary>
internal sealed unsafe class CombineKernel(Combine op, KernelContext context) : RowKernel(op, context)
{
    private readonly Operand _bOperand = context.Operand(op.Inputs[1]);
    private readonly Combination _function = op.Function;
    private RowView _b;

    protected override void ResolveInputs(in RunContext run) => _b = _bOperand.Resolve(run);

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        int n = y.Columns;
        for (long r = first; r < end; r++)
        {
            float* a = x.Row(r), b = _b.Row(r % _b.Rows), to = y.Row(r);
            int c = 0;
            for (; c <= n - T.Count; c += T.Count) T.Store(Element(T.Load(a + c), T.Load(b + c)), to + c);
            if (c < n)
                VectorMath.StorePartial(Element(VectorMath.LoadPartial<T>(a + c, n - c), VectorMath.LoadPartial<T>(b + c, n - c)), to + c,
                    n - c);
        }
    }

    private T Element<T>(T a, T b) where T : unmanaged, ISimd<T> => _function switch
    {
        Combination.Add => a + b,
        Combination.Multiply => a * b,
        _ => VectorMath.Activate(a, Activation.Silu) * b,
    };
}
