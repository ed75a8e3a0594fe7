using Sa2VA.Core;
using Sa2VA.Cpu.Kernels;

namespace Sa2VA.Cpu;

/// <summary>What takes the complete sums of a GEMM.</summary>
internal unsafe interface IEpilogue
{
    /// <summary>Takes a panel's <see cref="PackedWeights.PanelWidth"/> sums of one row, and may write over them.</summary>
    void Store<T>(float* sums, long row, int panel) where T : unmanaged, ISimd<T>;
}

/// <summary>out = residual + scale·activation(sum + bias).</summary>
/// <param name="to">out; rounded where it is BF16.</param>
/// <param name="columns">Columns of out.</param>
/// <param name="bias">One per column, or null.</param>
/// <param name="activation">Applied after the bias.</param>
/// <param name="scale">One per column, or null.</param>
/// <param name="residual">F32, added last; its first row may be null.</param>
internal readonly unsafe struct Epilogue(
    MatrixRows to, int columns, float* bias, Activation activation, float* scale, MatrixRows residual) : IEpilogue
{
    public void Store<T>(float* sums, long row, int panel) where T : unmanaged, ISimd<T>
    {
        int column = panel * PackedWeights.PanelWidth, count = Math.Min(PackedWeights.PanelWidth, columns - column);
        float* y = to.IsNarrow ? sums : to.Row(row) + column;
        float* b = bias == null ? null : bias + column;
        float* s = scale == null ? null : scale + column;
        float* r = residual.IsNull ? null : residual.Row(row) + column;
        int c = 0;
        for (; c <= count - T.Count; c += T.Count)
        {
            T x = T.Load(sums + c);
            if (b != null) x += T.Load(b + c);
            x = VectorMath.Activate(x, activation);
            if (s != null) x *= T.Load(s + c);
            if (r != null) x += T.Load(r + c);
            T.Store(x, y + c);
        }
        int rest = count - c;
        if (rest > 0)
        {
            T tail = VectorMath.LoadPartial<T>(sums + c, rest);
            if (b != null) tail += VectorMath.LoadPartial<T>(b + c, rest);
            tail = VectorMath.Activate(tail, activation);
            if (s != null) tail *= VectorMath.LoadPartial<T>(s + c, rest);
            if (r != null) tail += VectorMath.LoadPartial<T>(r + c, rest);
            VectorMath.StorePartial(tail, y + c, rest);
        }
        if (to.IsNarrow) Widen.ToBFloat16(new ReadOnlySpan<float>(sums, count), new Span<ushort>(to.NarrowRow(row) + column, count));
    }
}

/// <summary>
/// out = silu(gate)·up, of weights in <see cref="WeightLayout.Paired"/>: half a panel's sums are gates, the others their ups.
/// </summary>
/// <param name="to">out.</param>
/// <param name="columns">Columns of out.</param>
internal readonly unsafe struct GatedEpilogue(MatrixRows to, int columns) : IEpilogue
{
    public void Store<T>(float* sums, long row, int panel) where T : unmanaged, ISimd<T>
    {
        const int Half = PackedWeights.PanelWidth / 2;
        int column = panel * Half, count = Math.Min(Half, columns - column);
        float* y = to.IsNarrow ? sums : to.Row(row) + column;
        for (int c = 0; c < count; c += T.Count)
        {
            T x = VectorMath.Activate(T.Load(sums + c), Activation.Silu) * T.Load(sums + Half + c);
            if (c + T.Count <= count) T.Store(x, y + c);
            else VectorMath.StorePartial(x, y + c, count - c);
        }
        if (to.IsNarrow) Widen.ToBFloat16(new ReadOnlySpan<float>(sums, count), new Span<ushort>(to.NarrowRow(row) + column, count));
    }
}
