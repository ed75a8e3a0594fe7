using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Sa2VA.Core;
using Sa2VA.Cpu.Kernels;

namespace Sa2VA.Cpu;

/// <summary>
/// C[M, N] = A[M, K]·W[N, K]ᵀ, whose complete sums go to an epilogue. Every output is a sum of fused multiply-add chains over 64 inputs in
/// increasing k, the chains added in order: whatever the row count, the thread count or the vector width, so a row's bits are its own.
/// Short chains keep the rounding error of long sums small. Weights in pairs of inputs go to <see cref="PairGemm"/>.
/// </summary>
internal static unsafe class Gemm
{
    /// <summary>Inputs per chain: the numeric rule. A panel's part of that depth stays in L1 while all rows meet it.</summary>
    public const int Chain = 64;

    /// <summary>Floats of A that are packed at a time: they stay in L2, or nearly.</summary>
    private const int PackedFloats = 256 * 1024;

    /// <summary>Bytes that memory is asked for at a time.</summary>
    public const int LineBytes = 64;

    private const int Panel = PackedWeights.PanelWidth, HalfPanel = Panel / 2;

    /// <summary>Scratch bytes per part: packed A, a widened piece of a panel, the sums of a block of rows.</summary>
    public static long ScratchBytes(PackedWeights w) => w.Pairs is not null ? PairGemm.ScratchBytes(w.Depth)
        : ((long)RowBlock(w.K) * (w.K + Panel) + Chain * Panel) * sizeof(float);

    /// <summary>Computes a part of C.</summary>
    /// <param name="a">A.</param>
    /// <param name="w">Packed weights.</param>
    /// <param name="part">Which rows and panels.</param>
    /// <param name="epilogue">Takes the complete sums; those of a row in the order of the panels.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes, 64-aligned.</param>
    /// <param name="blocks">Assembled register blocks of this width, or null for the managed ones.</param>
    public static void Run<T, TEpilogue>(MatrixRows a, PackedWeights w, GemmPart part, in TEpilogue epilogue, byte* scratch,
        FloatBlocks? blocks)
        where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        if (w.Pairs is { } pairs)
        {
            PairGemm.Run<T, TEpilogue>(a, w, pairs, part, epilogue, scratch);
            return;
        }
        int most = RowBlock(w.K);
        for (long row = part.FirstRow; row < part.EndRow; row += most)
        {
            var block = new GemmPart(row, Math.Min(row + most, part.EndRow), part.FirstPanel, part.EndPanel);
            // One or two blocks of registers take the weights as they are read; for more rows, weights are widened once, and codes always.
            if (block.EndRow - row > 2 * MicroKernel.Rows<T>() || w.Bits < 16)
                Rows<T, LoadF32<T>, TEpilogue>(a, w, block, epilogue, scratch, blocks);
            else
                switch (w.Type)
                {
                    case DType.F32: Rows<T, LoadF32<T>, TEpilogue>(a, w, block, epilogue, scratch, blocks); break;
                    case DType.BF16: Rows<T, LoadBF16<T>, TEpilogue>(a, w, block, epilogue, scratch, blocks); break;
                    default: Rows<T, LoadF16<T>, TEpilogue>(a, w, block, epilogue, scratch, blocks); break;
                }
        }
    }

    /// <summary>Rows per block: as many as are packed at a time, a multiple of 12 and 6.</summary>
    private static int RowBlock(int inputs) => Math.Clamp(PackedFloats / inputs / 12 * 12, 24, 192);

    /// <summary>One block of rows.</summary>
    private static void Rows<T, TLoad, TEpilogue>(MatrixRows a, PackedWeights w, GemmPart part, in TEpilogue epilogue, byte* scratch,
        FloatBlocks? blocks)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T> where TEpilogue : struct, IEpilogue
    {
        float* packedA = (float*)scratch;
        float* widened = packedA + (long)RowBlock(w.K) * w.K;
        float* sums = widened + Chain * Panel;
        int most = MicroKernel.Rows<T>(), rows = (int)(part.EndRow - part.FirstRow);
        bool widens = w.Type.Size() != TLoad.Size || w.Bits < 16;
        int fetched = Chain * Panel * w.Type.Size() / LineBytes * most / Math.Max(rows, most) + 1;
        // Of each chain all rows behind each other: what a panel's part meets is read from front to end.
        int packed = rows / most * most + (rows % most == 0 ? 0 : MicroKernel.RowsFor<T>(rows % most));
        for (int r = 0; r < rows; r += most)
            PackA(a, part.FirstRow + r, Math.Min(most, rows - r), w.K, MicroKernel.RowsFor<T>(rows - r), packedA, r, packed);
        for (int panel = part.FirstPanel; panel < part.EndPanel; panel++)
        {
            for (int k = 0; k < w.K; k += Chain)
            {
                int depth = Math.Min(Chain, w.K - k);
                byte* b = !widens ? w.Panel(panel, k)
                    : w.Bits < 16 ? CodePanels.Widen<T>(w, panel, k, depth, widened) : WidenPanel<T>(w, panel, k, depth, widened);
                // What is multiplied next lies behind it and comes while all rows meet this. Blocks of 16 bits ask for themselves.
                byte* next = w.Bits < 16 || TLoad.Size == 2 ? null : w.Panel(panel, k + depth);
                for (int r = 0; r < rows; r += most)
                {
                    if (next != null) next = FetchLines(next, fetched);
                    int mr = MicroKernel.RowsFor<T>(rows - r);
                    if (k == 0) epilogue.Fetch(part.FirstRow + r, Math.Min(mr, rows - r), panel);
                    float* rowsA = packedA + (long)k * packed + r * depth;
                    MicroKernel.Tile<T, TLoad>(blocks, mr, rowsA, b, depth, sums + r * Panel, add: k > 0);
                }
            }
            epilogue.Store<T>(sums, part.FirstRow, rows, panel);
        }
    }

    /// <summary>One row, straight from the packed panels at the speed of memory; sums as in <see cref="Run{T, TEpilogue}"/>.</summary>
    public static void RunRow<T, TEpilogue>(float* a, PackedWeights w, int firstPanel, int endPanel, in TEpilogue epilogue)
        where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        if (w.Bits < 16)
        {
            CodePanels.RunRow<T, TEpilogue>(a, w, firstPanel, endPanel, epilogue);
            return;
        }
        switch (w.Type)
        {
            case DType.F32: GemvPanels<T, LoadF32<T>, TEpilogue>(a, w, firstPanel, endPanel, epilogue); break;
            case DType.BF16: GemvPanels<T, LoadBF16<T>, TEpilogue>(a, w, firstPanel, endPanel, epilogue); break;
            default: GemvPanels<T, LoadF16<T>, TEpilogue>(a, w, firstPanel, endPanel, epilogue); break;
        }
    }

    private static void GemvPanels<T, TLoad, TEpilogue>(float* a, PackedWeights w, int firstPanel, int endPanel, in TEpilogue epilogue)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T> where TEpilogue : struct, IEpilogue
    {
        // Eight vectors at a time, from four, two or one panels: enough independent chains to hide the multiply-add's latency.
        int together = 8 * T.Count / Panel;
        float* sums = stackalloc float[8 * T.Count];
        for (int panel = firstPanel; panel < endPanel; panel += together)
        {
            int valid = Math.Min(together, endPanel - panel);
            GemvEight<T, TLoad>(a, w, panel, valid, sums);
            for (int p = 0; p < valid; p++) epilogue.Store<T>(sums + p * Panel, 0, 1, panel + p);
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
        byte* Start(int pair) => w.Panel(panel + Math.Min(pair / PairsOf<T>(), valid - 1)) + pair % PairsOf<T>() * TLoad.Step * 4;

        void Store(int pair, T low, T high)
        {
            float* to = sums + pair / PairsOf<T>() * Panel + pair % PairsOf<T>() * TLoad.Step;
            T.Store(low, to);
            T.Store(high, to + TLoad.Apart);
        }
    }

    /// <summary>Pairs of vectors in a row of a panel.</summary>
    private static int PairsOf<T>() where T : unmanaged, ISimd<T> => Panel / (2 * T.Count);

    /// <summary>
    /// At most mr rows, of each chain as [k][mr] from row <paramref name="place"/> of <paramref name="packed"/> on; missing ones are zeros.
    /// </summary>
    private static void PackA(in MatrixRows a, long first, int rows, int depth, int mr, float* to, int place, int packed)
    {
        float** starts = stackalloc float*[mr];
        float* widened = stackalloc float[a.IsNarrow ? mr * Chain : 1];
        for (int from = 0; from < depth; from += Chain)
        {
            int count = Math.Min(Chain, depth - from);
            for (int i = 0; i < rows; i++)
            {
                if (!a.IsNarrow)
                {
                    starts[i] = a.Row(first + i) + from;
                    continue;
                }
                starts[i] = widened + i * Chain;
                Widen.Row((byte*)a.NarrowRow(first + i), DType.BF16, from, new Span<float>(starts[i], count));
            }
            float* at = to + (long)from * packed + place * count;
            Interleave.Rows(starts, rows, count, at, mr);
            for (int i = rows; i < mr; i++)
                for (int k = 0; k < count; k++) at[k * mr + i] = 0;
        }
    }

    /// <summary>Asks for lines of weights; returns what is behind them.</summary>
    public static byte* FetchLines(byte* at, int count)
    {
        if (Sse.IsSupported)
            for (int i = 0; i < count; i++) Sse.Prefetch0(at + i * LineBytes);
        return at + count * LineBytes;
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
}

/// <summary>A matrix in memory, F32 or BF16.</summary>
/// <param name="first">Its first row.</param>
/// <param name="stride">Elements from a row to the next.</param>
/// <param name="isNarrow">True if it is BF16.</param>
internal readonly unsafe struct MatrixRows(void* first, int stride, bool isNarrow = false)
{
    /// <summary>The rows of a view from <paramref name="row"/> on.</summary>
    public static MatrixRows Of(in RowView view, long row = 0) =>
        new(view.Pointer + row * view.RowStride * view.Type.Size(), view.RowStride, view.Type == DType.BF16);

    /// <summary>True when there is no matrix.</summary>
    public bool IsNull => first == null;

    /// <summary>True if elements are BF16.</summary>
    public bool IsNarrow => isNarrow;

    /// <summary>An F32 row's first element.</summary>
    public float* Row(long row) => (float*)first + row * stride;

    /// <summary>A BF16 row's first element.</summary>
    public ushort* NarrowRow(long row) => (ushort*)first + row * stride;

    /// <summary>Asks for some elements of a row, where a processor can be asked.</summary>
    public void Fetch(long row, int column, int count)
    {
        if (!Sse.IsSupported) return;
        int size = isNarrow ? sizeof(ushort) : sizeof(float);
        byte* at = (byte*)first + (row * stride + column) * size;
        for (int i = 0; i < count * size; i += Gemm.LineBytes) Sse.Prefetch1(at + i);
    }
}

/// <summary>Rows [FirstRow, EndRow) and panels [FirstPanel, EndPanel) of a product.</summary>
internal readonly record struct GemmPart(long FirstRow, long EndRow, int FirstPanel, int EndPanel);
