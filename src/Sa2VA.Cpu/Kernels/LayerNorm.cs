using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Layer norm over the last axis: mean, then centred variance, then one pass that normalises.</summary>
internal sealed unsafe class LayerNormKernel(LayerNorm op, KernelContext context) : RowKernel(op, context)
{
    private readonly float* _weight = context.Vector(op.Weight);
    private readonly float* _bias = context.Vector(op.Bias);
    private readonly ResidualSum _sum = new(op, context);
    private readonly float _epsilon = op.Epsilon;
    private readonly Activation _activation = op.Activation;

    protected override void ResolveInputs(in RunContext run) => _sum.Resolve(run);

    protected override void Rows<T>(in RowView x, in RowView y, long first, long end)
    {
        int n = x.Columns;
        if (n <= V128.Count && T.Count > V128.Count)
        {
            // Four channels fill a narrow vector and leave most of a wide one empty; the bits are the same.
            Rows<V128>(x, y, first, end);
            return;
        }
        for (long r = first; r < end; r++)
        {
            float* from = _sum.Row<T>(x, r), to = y.Row(r);
            float mean = RowReduction.Sum<T>(from, n) / n;
            float variance = RowReduction.SumOfSquares<T>(from, n, mean) / n;
            T shift = T.Create(mean), scale = T.Create(RowReduction.InverseRoot(variance, _epsilon));
            int c = 0;
            for (; c <= n - T.Count; c += T.Count)
                T.Store(Normalise(T.Load(from + c), shift, scale, T.Load(_weight + c), T.Load(_bias + c)), to + c);
            if (c < n)
            {
                T tail = Normalise(VectorMath.LoadPartial<T>(from + c, n - c), shift, scale,
                    VectorMath.LoadPartial<T>(_weight + c, n - c), VectorMath.LoadPartial<T>(_bias + c, n - c));
                VectorMath.StorePartial(tail, to + c, n - c);
            }
        }
    }

    private T Normalise<T>(T x, T shift, T scale, T weight, T bias) where T : unmanaged, ISimd<T> =>
        VectorMath.Activate(T.MultiplyAdd((x - shift) * scale, weight, bias), _activation);
}
