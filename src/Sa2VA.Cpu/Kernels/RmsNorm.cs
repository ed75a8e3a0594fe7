using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>RMS norm over the last axis: normalise first, then the gain (docs/model/language.md#norms).</summary>
internal sealed unsafe class RmsNormKernel(RmsNorm op, KernelContext context) : RowKernel(op, context)
{
    private readonly float* _weight = context.Vector(op.Weight);
    private readonly ResidualSum _sum = new(op, context);
    private readonly float _epsilon = op.Epsilon;

    protected override void ResolveInputs(in RunContext run) => _sum.Resolve(run);

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        int n = x.Columns;
        for (long r = first; r < end; r++)
        {
            float* from = _sum.Row<T>(x, r), to = y.Row(r);
            float square = RowReduction.SumOfSquares<T>(from, n, 0) / n;
            T scale = T.Create(RowReduction.InverseRoot(square, _epsilon));
            int c = 0;
            for (; c <= n - T.Count; c += T.Count) T.Store(T.Load(from + c) * scale * T.Load(_weight + c), to + c);
            if (c < n)
                VectorMath.StorePartial(VectorMath.LoadPartial<T>(from + c, n - c) * scale * VectorMath.LoadPartial<T>(_weight + c, n - c),
                    to + c, n - c);
        }
    }
}
