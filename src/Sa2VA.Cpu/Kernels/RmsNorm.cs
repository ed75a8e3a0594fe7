using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>RMS norm over the last axis: normalise first, then the gain (docs/model/language.md#norms).</summary>
internal sealed unsafe class RmsNormKernel(RmsNorm op, KernelContext context) : RowKernel(op, context)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly float* _weight = context.Vector(op.Weight);
    private readonly float _epsilon = op.Epsilon;
    private RowView _x;

    protected override void ResolveInputs(in RunContext run) => _x = _xOperand.Resolve(run);

    protected override void Rows<T>(long first, long end)
    {
        int n = _x.Columns;
        for (long r = first; r < end; r++)
        {
            float* x = _x.Row(r), y = Out.Row(r);
            float square = RowReduction.SumOfSquares<T>(x, n, 0) / n;
            T scale = T.Create(RowReduction.InverseRoot(square, _epsilon));
            int c = 0;
            for (; c <= n - T.Count; c += T.Count) T.Store(T.Load(x + c) * scale * T.Load(_weight + c), y + c);
            if (c < n)
                VectorMath.StorePartial(VectorMath.LoadPartial<T>(x + c, n - c) * scale * VectorMath.LoadPartial<T>(_weight + c, n - c),
                    y + c, n - c);
        }
    }
}
