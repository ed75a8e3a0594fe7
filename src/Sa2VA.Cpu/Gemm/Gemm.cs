using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// C[M, N] = A[M, K]·W[N, K]ᵀ with a fused epilogue. Every output is a sum of fused multiply-add chains over 64 inputs in increasing k, the
/// chains added in order: whatever the row count, the thread count or the vector width, so a row's bits are its own. Short chains keep the
/// rounding error of long sums small.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>Inputs per chain: the numeric rule.</summary>
    public const int Chain = 64;

    /// <summary>Inputs per block: what keeps a panel block in L1. A multiple of <see cref="Chain"/>.</summary>
    public const int DepthBlock = 256;

    /// <summary>Rows per block: the packed A block stays in L2. A multiple of 12 and 6.</summary>
    private const int RowBlock = 192;

    /// <summary>Inputs per block of a few rows: as many as fit the room for packed A. A multiple of <see cref="Chain"/>.</summary>
    private const int FewRowsDepth = RowBlock * DepthBlock / 24;

    private const int Panel = PackedWeights.PanelWidth, HalfPanel = Panel / 2;

    /// <summary>Scratch bytes per part: packed A, a widened panel block, a tile.</summary>
    public const long ScratchBytes = (RowBlock * DepthBlock + DepthBlock * Panel + 12 * Panel) * sizeof(float);

    /// <summary>Computes a part of C.</summary>
    /// <param name="a">A.</param>
    /// <param name="w">Packed weights.</param>
    /// <param name="c">C.</param>
    /// <param name="part">Which rows and panels.</param>
    /// <param name="epilogue">Applied to the complete sums.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, 64-aligned.</param>
    public static void Run<T>(MatrixRows a, PackedWeights w, MatrixRows c, GemmPart part, in Epilogue epilogue, byte* scratch)
        where T : unmanaged, ISimd<T>
    {
        for (long row = part.FirstRow; row < part.EndRow; row += RowBlock)
        {
            var block = new GemmPart(row, Math.Min(row + RowBlock, part.EndRow), part.FirstPanel, part.EndPanel);
            // One or two blocks of registers take the weights as they are read; for more rows, weights are widened once.
            if (block.EndRow - row > 2 * MicroKernel.Rows<T>()) Rows<T, LoadF32<T>>(a, w, c, block, DepthBlock, epilogue, scratch);
            else
                switch (w.Type)
                {
                    case DType.F32: Rows<T, LoadF32<T>>(a, w, c, block, FewRowsDepth, epilogue, scratch); break;
                    case DType.BF16: Rows<T, LoadBF16<T>>(a, w, c, block, FewRowsDepth, epilogue, scratch); break;
                    default: Rows<T, LoadF16<T>>(a, w, c, block, FewRowsDepth, epilogue, scratch); break;
                }
        }
    }

    /// <summary>At most <see cref="RowBlock"/> rows, <paramref name="depthBlock"/> inputs at a time.</summary>
    private static void Rows<T, TLoad>(MatrixRows a, PackedWeights w, MatrixRows c, GemmPart part, int depthBlock, in Epilogue epilogue,
        byte* scratch)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        float* packedA = (float*)scratch;
        float* widened = packedA + RowBlock * DepthBlock;
        float* tile = widened + DepthBlock * Panel;
        int most = MicroKernel.Rows<T>(), rows = (int)(part.EndRow - part.FirstRow);
        bool widens = w.Type.Size() != TLoad.Size;
        for (int k = 0; k < w.K; k += depthBlock)
        {
            int depth = Math.Min(depthBlock, w.K - k);
            bool first = k == 0, last = k + depth == w.K;
            for (int r = 0; r < rows; r += most)
                PackA(a.Row(part.FirstRow + r) + k, a.Stride, Math.Min(most, rows - r), depth, MicroKernel.RowsFor<T>(rows - r),
                    packedA + (long)r * depth);
            for (int panel = part.FirstPanel; panel < part.EndPanel; panel++)
            {
                byte* b = widens ? WidenPanel<T>(w, panel, k, depth, widened) : w.Panel(panel, k);
                int columns = Math.Min(Panel, w.N - panel * Panel);
                for (int r = 0; r < rows; r += most)
                {
                    int valid = Math.Min(most, rows - r), mr = MicroKernel.RowsFor<T>(valid);
                    long row = part.FirstRow + r;
                    float* to = c.Row(row) + panel * Panel;
                    if (!first)
                        for (int i = 0; i < valid; i++) Copy(to + (long)i * c.Stride, tile + i * Panel, columns);
                    for (int i = 0; i < depth; i += Chain)
                        MicroKernel.Tile<T, TLoad>(mr, packedA + (long)r * depth + i * mr, b + (long)i * Panel * TLoad.Size,
                            Math.Min(Chain, depth - i), tile, add: !first || i > 0);
                    for (int i = 0; i < valid; i++, to += c.Stride)
                    {
                        if (last) epilogue.Store<T>(tile + i * Panel, to, row + i, panel * Panel, columns);
                        else Copy(tile + i * Panel, to, columns);
                    }
                }
            }
        }
    }

    /// <summary>One row, straight from the packed panels at the speed of memory; the same sums as <see cref="Run{T}"/>.</summary>
    public static void RunRow<T>(float* a, PackedWeights w, float* c, int firstPanel, int endPanel, in Epilogue epilogue)
        where T : unmanaged, ISimd<T>
    {
        switch (w.Type)
        {
            case DType.F32: GemvPanels<T, LoadF32<T>>(a, w, c, firstPanel, endPanel, epilogue); break;
            case DType.BF16: GemvPanels<T, LoadBF16<T>>(a, w, c, firstPanel, endPanel, epilogue); break;
            default: GemvPanels<T, LoadF16<T>>(a, w, c, firstPanel, endPanel, epilogue); break;
        }
    }

    private static void GemvPanels<T, TLoad>(float* a, PackedWeights w, float* c, int firstPanel, int endPanel, in Epilogue epilogue)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        // Eight vectors at a time, from four, two or one panels: enough independent chains to hide the multiply-add's latency.
        int together = 8 * T.Count / Panel;
        float* sums = stackalloc float[8 * T.Count];
        for (int panel = firstPanel; panel < endPanel; panel += together)
        {
            int valid = Math.Min(together, endPanel - panel);
            GemvEight<T, TLoad>(a, w, panel, valid, sums);
            for (int p = 0; p < valid; p++)
            {
                int column = (panel + p) * Panel;
                epilogue.Store<T>(sums + p * Panel, c + column, 0, column, Math.Min(Panel, w.N - column));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void GemvEight<T, TLoad>(float* a, PackedWeights w, int panel, int valid, float* sums)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        byte* b0 = Start(0), b1 = Start(1), b2 = Start(2), b3 = Start(3);
        T t0 = T.Zero, t1 = T.Zero, t2 = T.Zero, t3 = T.Zero, t4 = T.Zero, t5 = T.Zero, t6 = T.Zero, t7 = T.Zero;
        for (int k = 0; k < w.K; k += Chain)
        {
            int end = Math.Min(k + Chain, w.K);
            T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s4 = T.Zero, s5 = T.Zero, s6 = T.Zero, s7 = T.Zero;
            for (int i = k; i < end; i++)
            {
                T x = T.Create(a[i]);
                nint at = (nint)i * (Panel * TLoad.Size);
                s0 = T.MultiplyAdd(x, TLoad.Low(b0 + at), s0);
                s1 = T.MultiplyAdd(x, TLoad.High(b0 + at), s1);
                s2 = T.MultiplyAdd(x, TLoad.Low(b1 + at), s2);
                s3 = T.MultiplyAdd(x, TLoad.High(b1 + at), s3);
                s4 = T.MultiplyAdd(x, TLoad.Low(b2 + at), s4);
                s5 = T.MultiplyAdd(x, TLoad.High(b2 + at), s5);
                s6 = T.MultiplyAdd(x, TLoad.Low(b3 + at), s6);
                s7 = T.MultiplyAdd(x, TLoad.High(b3 + at), s7);
            }
            bool first = k == 0;
            t0 = first ? s0 : t0 + s0;
            t1 = first ? s1 : t1 + s1;
            t2 = first ? s2 : t2 + s2;
            t3 = first ? s3 : t3 + s3;
            t4 = first ? s4 : t4 + s4;
            t5 = first ? s5 : t5 + s5;
            t6 = first ? s6 : t6 + s6;
            t7 = first ? s7 : t7 + s7;
        }
        Store(0, t0, t1);
        Store(1, t2, t3);
        Store(2, t4, t5);
        Store(3, t6, t7);

        // Pairs of panels that do not exist read the last one that does, and are not stored by the caller.
        byte* Start(int pair) =>
            w.Panel(panel + Math.Min(pair * T.Count / HalfPanel, valid - 1)) + pair * T.Count % HalfPanel * 4;

        void Store(int pair, T low, T high)
        {
            float* to = sums + pair * T.Count / HalfPanel * Panel + pair * T.Count % HalfPanel;
            T.Store(low, to);
            T.Store(high, to + HalfPanel);
        }
    }

    /// <summary>At most mr rows as [k][mr]; missing ones are zeros.</summary>
    private static void PackA(float* a, int stride, int rows, int depth, int mr, float* to)
    {
        for (int i = 0; i < mr; i++)
        {
            float* from = a + (long)i * stride;
            if (i < rows)
                for (int k = 0; k < depth; k++) to[k * mr + i] = from[k];
            else
                for (int k = 0; k < depth; k++) to[k * mr + i] = 0;
        }
    }

    private static byte* WidenPanel<T>(PackedWeights w, int panel, int k, int depth, float* to) where T : unmanaged, ISimd<T>
    {
        var narrow = (ushort*)w.Panel(panel, k);
        for (int i = 0; i < depth * Panel; i += Panel)
            for (int lane = 0; lane < HalfPanel; lane += T.Count)
            {
                ushort* pairs = narrow + i + 2 * lane;
                float* low = to + i + lane;
                T.Store(w.Type == DType.BF16 ? T.LowBFloat16(pairs) : T.LowHalf(pairs), low);
                T.Store(w.Type == DType.BF16 ? T.HighBFloat16(pairs) : T.HighHalf(pairs), low + HalfPanel);
            }
        return (byte*)to;
    }

    private static void Copy(float* from, float* to, int count) => new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));
}

/// <summary>A matrix in memory.</summary>
/// <param name="first">Its first row.</param>
/// <param name="stride">Elements from a row to the next.</param>
internal readonly unsafe struct MatrixRows(float* first, int stride)
{
    /// <summary>Elements from a row to the next.</summary>
    public int Stride { get; } = stride;

    /// <summary>A row's first element.</summary>
    public float* Row(long row) => first + row * Stride;
}

/// <summary>Rows [FirstRow, EndRow) and panels [FirstPanel, EndPanel) of a product.</summary>
internal readonly record struct GemmPart(long FirstRow, long EndRow, int FirstPanel, int EndPanel);
