using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Cpu.Kernels;

namespace Sa2VA.Cpu;

/// <summary>What takes the complete sums of a GEMM.</summary>
internal unsafe interface IEpilogue
{
    /// <summary>
    /// Takes a panel's <see cref="PackedWeights.PanelWidth"/> sums of each of <paramref name="rows"/> rows from <paramref name="row"/> on,
    /// and may write over them.
    /// </summary>
    void Store<T>(float* sums, long row, int rows, int panel) where T : unmanaged, ISimd<T>;

    /// <summary>Asks for the memory that <see cref="Store{T}"/> will touch of these rows: while they are multiplied, it comes.</summary>
    void Fetch(long row, int rows, int panel);
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
    private const int Panel = PackedWeights.PanelWidth;

    public void Store<T>(float* sums, long row, int rows, int panel) where T : unmanaged, ISimd<T>
    {
        int column = panel * Panel, count = Math.Min(Panel, columns - column);
        float* b = bias == null ? null : bias + column;
        // Apart, as what few products need would make the way of all the others long.
        if (activation != Activation.None)
        {
            Activate<T>(sums, rows, b, count);
            b = null;
        }
        float* s = scale == null ? null : scale + column;
        bool isNarrow = to.IsNarrow, adds = !residual.IsNull;
        for (int r = 0; r < rows; r++, sums += Panel)
        {
            float* y = isNarrow ? sums : to.Row(row + r) + column;
            float* before = adds ? residual.Row(row + r) + column : null;
            if (count == Panel) Whole<T>(sums, b, s, before, y);
            else Partial<T>(sums, b, s, before, y, count);
            if (isNarrow) Widen.ToBFloat16(new ReadOnlySpan<float>(sums, count), new Span<ushort>(to.NarrowRow(row + r) + column, count));
        }
    }

    public void Fetch(long row, int rows, int panel)
    {
        for (int r = 0; r < rows; r++)
        {
            to.Fetch(row + r, panel * Panel, Panel);
            if (!residual.IsNull) residual.Fetch(row + r, panel * Panel, Panel);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Whole<T>(float* sums, float* b, float* s, float* before, float* y) where T : unmanaged, ISimd<T>
    {
        for (int c = 0; c < Panel; c += T.Count)
        {
            T x = T.Load(sums + c);
            if (b != null) x += T.Load(b + c);
            if (s != null) x *= T.Load(s + c);
            if (before != null) x += T.Load(before + c);
            T.Store(x, y + c);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Partial<T>(float* sums, float* b, float* s, float* before, float* y, int count) where T : unmanaged, ISimd<T>
    {
        for (int c = 0; c < count; c += T.Count)
        {
            int rest = count - c;
            T x = T.Load(sums + c);
            if (b != null) x += Load<T>(b + c, rest);
            if (s != null) x *= Load<T>(s + c, rest);
            if (before != null) x += Load<T>(before + c, rest);
            if (rest >= T.Count) T.Store(x, y + c);
            else VectorMath.StorePartial(x, y + c, rest);
        }
    }

    // Lanes beyond the last column are whatever a padded sum becomes; nobody reads them.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Activate<T>(float* sums, int rows, float* b, int count) where T : unmanaged, ISimd<T>
    {
        for (int r = 0; r < rows; r++, sums += Panel)
            for (int c = 0; c < count; c += T.Count)
            {
                T x = T.Load(sums + c);
                if (b != null) x += Load<T>(b + c, count - c);
                T.Store(VectorMath.Activate(x, activation), sums + c);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Load<T>(float* from, int rest) where T : unmanaged, ISimd<T> =>
        rest >= T.Count ? T.Load(from) : VectorMath.LoadPartial<T>(from, rest);
}

/// <summary>
/// out = silu(gate)·up, of weights in <see cref="WeightLayout.Paired"/>: half a panel's sums are gates, the others their ups.
/// </summary>
/// <param name="to">out.</param>
/// <param name="columns">Columns of out.</param>
internal readonly unsafe struct GatedEpilogue(MatrixRows to, int columns) : IEpilogue
{
    private const int Half = PackedWeights.PanelWidth / 2;

    public void Store<T>(float* sums, long row, int rows, int panel) where T : unmanaged, ISimd<T>
    {
        int column = panel * Half, count = Math.Min(Half, columns - column);
        for (int r = 0; r < rows; r++, sums += PackedWeights.PanelWidth)
        {
            float* y = to.IsNarrow ? sums : to.Row(row + r) + column;
            for (int c = 0; c < count; c += T.Count)
            {
                T x = VectorMath.Activate(T.Load(sums + c), Activation.Silu) * T.Load(sums + Half + c);
                if (c + T.Count <= count) T.Store(x, y + c);
                else VectorMath.StorePartial(x, y + c, count - c);
            }
            if (to.IsNarrow)
                Widen.ToBFloat16(new ReadOnlySpan<float>(sums, count), new Span<ushort>(to.NarrowRow(row + r) + column, count));
        }
    }

    public void Fetch(long row, int rows, int panel)
    {
        for (int r = 0; r < rows; r++) to.Fetch(row + r, panel * Half, Half);
    }
}
