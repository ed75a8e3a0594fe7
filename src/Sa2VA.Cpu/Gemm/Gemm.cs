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

    private const int Panel = PackedWeights.PanelWidth;

    /// <summary>Scratch bytes per part: packed A, a widened panel block, a tile, a chain's sums.</summary>
    public const long ScratchBytes = (RowBlock * DepthBlock + DepthBlock * Panel + 2 * 12 * Panel) * sizeof(float);

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
        float* packedA = (float*)scratch;
        float* widened = packedA + RowBlock * DepthBlock;
        float* tile = widened + DepthBlock * Panel;
        float* chain = tile + 12 * Panel;
        int mr = T.Count == 16 ? 12 : 6;
        for (long row = part.FirstRow; row < part.EndRow; row += RowBlock)
        {
            int rows = (int)Math.Min(RowBlock, part.EndRow - row);
            for (int k = 0; k < w.K; k += DepthBlock)
            {
                int depth = Math.Min(DepthBlock, w.K - k);
                bool first = k == 0, last = k + depth == w.K;
                PackA(a.Row(row) + k, a.Stride, rows, depth, mr, packedA);
                for (int panel = part.FirstPanel; panel < part.EndPanel; panel++)
                {
                    float* b = WidenPanel<T>(w, panel, k, depth, widened);
                    int columns = Math.Min(Panel, w.N - panel * Panel);
                    for (int r = 0; r < rows; r += mr)
                    {
                        int valid = Math.Min(mr, rows - r);
                        float* to = c.Row(row + r) + panel * Panel;
                        if (!first)
                            for (int i = 0; i < valid; i++) Copy(to + (long)i * c.Stride, tile + i * Panel, columns);
                        for (int i = 0; i < depth; i += Chain)
                        {
                            bool begins = first && i == 0;
                            Block<T>(packedA + (long)r * depth + i * mr, b + i * Panel, Math.Min(Chain, depth - i), begins ? tile : chain);
                            if (!begins) Accumulate<T>(tile, chain, mr * Panel);
                        }
                        for (int i = 0; i < valid; i++, to += c.Stride)
                        {
                            if (last) epilogue.Store<T>(tile + i * Panel, to, row + r + i, panel * Panel, columns);
                            else Copy(tile + i * Panel, to, columns);
                        }
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
        byte* b0 = Start(0), b1 = Start(1), b2 = Start(2), b3 = Start(3), b4 = Start(4), b5 = Start(5), b6 = Start(6), b7 = Start(7);
        T t0 = T.Zero, t1 = T.Zero, t2 = T.Zero, t3 = T.Zero, t4 = T.Zero, t5 = T.Zero, t6 = T.Zero, t7 = T.Zero;
        for (int k = 0; k < w.K; k += Chain)
        {
            int end = Math.Min(k + Chain, w.K);
            T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s4 = T.Zero, s5 = T.Zero, s6 = T.Zero, s7 = T.Zero;
            for (int i = k; i < end; i++)
            {
                T x = T.Create(a[i]);
                nint at = (nint)i * (Panel * TLoad.Size);
                s0 = T.MultiplyAdd(x, TLoad.Load(b0 + at), s0);
                s1 = T.MultiplyAdd(x, TLoad.Load(b1 + at), s1);
                s2 = T.MultiplyAdd(x, TLoad.Load(b2 + at), s2);
                s3 = T.MultiplyAdd(x, TLoad.Load(b3 + at), s3);
                s4 = T.MultiplyAdd(x, TLoad.Load(b4 + at), s4);
                s5 = T.MultiplyAdd(x, TLoad.Load(b5 + at), s5);
                s6 = T.MultiplyAdd(x, TLoad.Load(b6 + at), s6);
                s7 = T.MultiplyAdd(x, TLoad.Load(b7 + at), s7);
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
        T.Store(t0, sums);
        T.Store(t1, sums + T.Count);
        T.Store(t2, sums + 2 * T.Count);
        T.Store(t3, sums + 3 * T.Count);
        T.Store(t4, sums + 4 * T.Count);
        T.Store(t5, sums + 5 * T.Count);
        T.Store(t6, sums + 6 * T.Count);
        T.Store(t7, sums + 7 * T.Count);

        // Vectors of panels that do not exist read the last one that does, and are not stored.
        byte* Start(int vector)
        {
            int lane = vector * T.Count;
            return w.Panel(panel + Math.Min(lane / Panel, valid - 1)) + lane % Panel * TLoad.Size;
        }
    }

    private static void Block<T>(float* a, float* b, int depth, float* tile) where T : unmanaged, ISimd<T>
    {
        if (T.Count == 16)
        {
            MicroKernel.Tile12<T>(a, b, Panel, depth, tile, Panel);
            return;
        }
        for (int j = 0; j < Panel; j += 2 * T.Count) MicroKernel.Tile6<T>(a, b + j, Panel, depth, tile + j, Panel);
    }

    /// <summary>Rows in groups of <paramref name="mr"/>, [group][k][row]; missing rows of the last group are zeros.</summary>
    private static void PackA(float* a, int stride, int rows, int depth, int mr, float* to)
    {
        for (int r = 0; r < rows; r += mr, to += (long)mr * depth)
        {
            for (int i = 0; i < mr; i++)
            {
                float* from = a + (long)(r + i) * stride;
                if (r + i < rows)
                    for (int k = 0; k < depth; k++) to[k * mr + i] = from[k];
                else
                    for (int k = 0; k < depth; k++) to[k * mr + i] = 0;
            }
        }
    }

    private static float* WidenPanel<T>(PackedWeights w, int panel, int k, int depth, float* to) where T : unmanaged, ISimd<T>
    {
        byte* from = w.Panel(panel, k);
        if (w.Type == DType.F32) return (float*)from;
        var narrow = (ushort*)from;
        int count = depth * Panel;
        if (w.Type == DType.BF16)
            for (int i = 0; i < count; i += T.Count) T.Store(T.LoadBFloat16(narrow + i), to + i);
        else
            for (int i = 0; i < count; i += T.Count) T.Store(T.LoadHalf(narrow + i), to + i);
        return to;
    }

    /// <summary>sums += chain, whole tiles.</summary>
    private static void Accumulate<T>(float* sums, float* chain, int count) where T : unmanaged, ISimd<T>
    {
        for (int i = 0; i < count; i += T.Count) T.Store(T.Load(sums + i) + T.Load(chain + i), sums + i);
    }

    private static void Copy(float* from, float* to, int count) => new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));

    private interface IPanelLoad<T>
    {
        static abstract int Size { get; }
        static abstract T Load(byte* from);
    }

    private readonly struct LoadF32<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
    {
        public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Load(byte* from) => T.Load((float*)from);
    }

    private readonly struct LoadBF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
    {
        public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Load(byte* from) => T.LoadBFloat16((ushort*)from);
    }

    private readonly struct LoadF16<T> : IPanelLoad<T> where T : unmanaged, ISimd<T>
    {
        public static int Size { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 2; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Load(byte* from) => T.LoadHalf((ushort*)from);
    }
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
