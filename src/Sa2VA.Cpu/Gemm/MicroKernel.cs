using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Sa2VA.Cpu;

/// <summary>
/// The register blocks of the GEMM. Accumulators are named locals because only those stay in registers: 12×2 of 32 zmm, 6×2 of 16 ymm or
/// xmm. Smaller ones are for what is left of the rows: a few chats that decode together are no more.
/// </summary>
internal static unsafe class MicroKernel
{
    private const int Columns = PackedWeights.PanelWidth;

    /// <summary>Rows of a panel from the one that is read to the one that is fetched.</summary>
    private const int RowsAhead = 64;

    /// <summary>Rows of the block that suits a width.</summary>
    public static int Rows<T>() where T : unmanaged, ISimd<T> => T.Count == 16 ? 12 : 6;

    /// <summary>Rows of the smallest block that holds <paramref name="count"/> of them.</summary>
    public static int RowsFor<T>(int count) where T : unmanaged, ISimd<T> =>
        count <= 4 ? 4 : T.Count == 16 && count <= 8 ? 8 : Rows<T>();

    /// <summary>One of the blocks below over b's columns [0, 32): each output a chain of fused multiply-adds in increasing k.</summary>
    /// <param name="blocks">Assembled ones of this width, which are called instead; they give the same bits. Null: those below.</param>
    /// <param name="rows">Rows of the block, as <see cref="RowsFor{T}"/> gives them.</param>
    /// <param name="a">[depth, rows].</param>
    /// <param name="b">[depth, 32] in the type that <typeparamref name="TLoad"/> reads.</param>
    /// <param name="depth">Inputs.</param>
    /// <param name="tile">[rows, 32].</param>
    /// <param name="add">True to add the chains to what the tile holds, false to replace it.</param>
    public static void Tile<T, TLoad>(FloatBlocks? blocks, int rows, float* a, byte* b, int depth, float* tile, bool add)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        if (blocks is not null)
        {
            blocks.Run(rows, TLoad.Type, a, b, depth, tile, add);
            return;
        }
        for (int pair = 0; pair < Columns / (2 * T.Count); pair++, b += 4 * TLoad.Step, tile += TLoad.Step)
            switch (rows)
            {
                case 4: Tile4<T, TLoad>(a, b, depth, tile, add); break;
                case 6: Tile6<T, TLoad>(a, b, depth, tile, add); break;
                case 8: Tile8<T, TLoad>(a, b, depth, tile, add); break;
                default: Tile12<T, TLoad>(a, b, depth, tile, add); break;
            }
    }

    /// <summary>12 rows × a pair of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile12<T, TLoad>(float* a, byte* b, int depth, float* tile, bool add)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        T c60 = T.Zero, c61 = T.Zero;
        T c70 = T.Zero, c71 = T.Zero;
        T c80 = T.Zero, c81 = T.Zero;
        T c90 = T.Zero, c91 = T.Zero;
        T c100 = T.Zero, c101 = T.Zero;
        T c110 = T.Zero, c111 = T.Zero;
        for (int k = 0; k < depth; k++, a += 12, b += Columns * TLoad.Size)
        {
            FetchAhead<TLoad, T>(b);
            T b0 = TLoad.Low(b), b1 = TLoad.High(b);
            T x;
            x = T.Create(a[0]);
            c00 = T.MultiplyAdd(x, b0, c00);
            c01 = T.MultiplyAdd(x, b1, c01);
            x = T.Create(a[1]);
            c10 = T.MultiplyAdd(x, b0, c10);
            c11 = T.MultiplyAdd(x, b1, c11);
            x = T.Create(a[2]);
            c20 = T.MultiplyAdd(x, b0, c20);
            c21 = T.MultiplyAdd(x, b1, c21);
            x = T.Create(a[3]);
            c30 = T.MultiplyAdd(x, b0, c30);
            c31 = T.MultiplyAdd(x, b1, c31);
            x = T.Create(a[4]);
            c40 = T.MultiplyAdd(x, b0, c40);
            c41 = T.MultiplyAdd(x, b1, c41);
            x = T.Create(a[5]);
            c50 = T.MultiplyAdd(x, b0, c50);
            c51 = T.MultiplyAdd(x, b1, c51);
            x = T.Create(a[6]);
            c60 = T.MultiplyAdd(x, b0, c60);
            c61 = T.MultiplyAdd(x, b1, c61);
            x = T.Create(a[7]);
            c70 = T.MultiplyAdd(x, b0, c70);
            c71 = T.MultiplyAdd(x, b1, c71);
            x = T.Create(a[8]);
            c80 = T.MultiplyAdd(x, b0, c80);
            c81 = T.MultiplyAdd(x, b1, c81);
            x = T.Create(a[9]);
            c90 = T.MultiplyAdd(x, b0, c90);
            c91 = T.MultiplyAdd(x, b1, c91);
            x = T.Create(a[10]);
            c100 = T.MultiplyAdd(x, b0, c100);
            c101 = T.MultiplyAdd(x, b1, c101);
            x = T.Create(a[11]);
            c110 = T.MultiplyAdd(x, b0, c110);
            c111 = T.MultiplyAdd(x, b1, c111);
        }
        Put(c00, tile + 0 * Columns, add);
        Put(c01, tile + 0 * Columns + TLoad.Apart, add);
        Put(c10, tile + 1 * Columns, add);
        Put(c11, tile + 1 * Columns + TLoad.Apart, add);
        Put(c20, tile + 2 * Columns, add);
        Put(c21, tile + 2 * Columns + TLoad.Apart, add);
        Put(c30, tile + 3 * Columns, add);
        Put(c31, tile + 3 * Columns + TLoad.Apart, add);
        Put(c40, tile + 4 * Columns, add);
        Put(c41, tile + 4 * Columns + TLoad.Apart, add);
        Put(c50, tile + 5 * Columns, add);
        Put(c51, tile + 5 * Columns + TLoad.Apart, add);
        Put(c60, tile + 6 * Columns, add);
        Put(c61, tile + 6 * Columns + TLoad.Apart, add);
        Put(c70, tile + 7 * Columns, add);
        Put(c71, tile + 7 * Columns + TLoad.Apart, add);
        Put(c80, tile + 8 * Columns, add);
        Put(c81, tile + 8 * Columns + TLoad.Apart, add);
        Put(c90, tile + 9 * Columns, add);
        Put(c91, tile + 9 * Columns + TLoad.Apart, add);
        Put(c100, tile + 10 * Columns, add);
        Put(c101, tile + 10 * Columns + TLoad.Apart, add);
        Put(c110, tile + 11 * Columns, add);
        Put(c111, tile + 11 * Columns + TLoad.Apart, add);
    }

    /// <summary>8 rows × a pair of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8<T, TLoad>(float* a, byte* b, int depth, float* tile, bool add)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        T c60 = T.Zero, c61 = T.Zero;
        T c70 = T.Zero, c71 = T.Zero;
        for (int k = 0; k < depth; k++, a += 8, b += Columns * TLoad.Size)
        {
            FetchAhead<TLoad, T>(b);
            T b0 = TLoad.Low(b), b1 = TLoad.High(b);
            T x;
            x = T.Create(a[0]);
            c00 = T.MultiplyAdd(x, b0, c00);
            c01 = T.MultiplyAdd(x, b1, c01);
            x = T.Create(a[1]);
            c10 = T.MultiplyAdd(x, b0, c10);
            c11 = T.MultiplyAdd(x, b1, c11);
            x = T.Create(a[2]);
            c20 = T.MultiplyAdd(x, b0, c20);
            c21 = T.MultiplyAdd(x, b1, c21);
            x = T.Create(a[3]);
            c30 = T.MultiplyAdd(x, b0, c30);
            c31 = T.MultiplyAdd(x, b1, c31);
            x = T.Create(a[4]);
            c40 = T.MultiplyAdd(x, b0, c40);
            c41 = T.MultiplyAdd(x, b1, c41);
            x = T.Create(a[5]);
            c50 = T.MultiplyAdd(x, b0, c50);
            c51 = T.MultiplyAdd(x, b1, c51);
            x = T.Create(a[6]);
            c60 = T.MultiplyAdd(x, b0, c60);
            c61 = T.MultiplyAdd(x, b1, c61);
            x = T.Create(a[7]);
            c70 = T.MultiplyAdd(x, b0, c70);
            c71 = T.MultiplyAdd(x, b1, c71);
        }
        Put(c00, tile + 0 * Columns, add);
        Put(c01, tile + 0 * Columns + TLoad.Apart, add);
        Put(c10, tile + 1 * Columns, add);
        Put(c11, tile + 1 * Columns + TLoad.Apart, add);
        Put(c20, tile + 2 * Columns, add);
        Put(c21, tile + 2 * Columns + TLoad.Apart, add);
        Put(c30, tile + 3 * Columns, add);
        Put(c31, tile + 3 * Columns + TLoad.Apart, add);
        Put(c40, tile + 4 * Columns, add);
        Put(c41, tile + 4 * Columns + TLoad.Apart, add);
        Put(c50, tile + 5 * Columns, add);
        Put(c51, tile + 5 * Columns + TLoad.Apart, add);
        Put(c60, tile + 6 * Columns, add);
        Put(c61, tile + 6 * Columns + TLoad.Apart, add);
        Put(c70, tile + 7 * Columns, add);
        Put(c71, tile + 7 * Columns + TLoad.Apart, add);
    }

    /// <summary>6 rows × a pair of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile6<T, TLoad>(float* a, byte* b, int depth, float* tile, bool add)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        for (int k = 0; k < depth; k++, a += 6, b += Columns * TLoad.Size)
        {
            FetchAhead<TLoad, T>(b);
            T b0 = TLoad.Low(b), b1 = TLoad.High(b);
            T x;
            x = T.Create(a[0]);
            c00 = T.MultiplyAdd(x, b0, c00);
            c01 = T.MultiplyAdd(x, b1, c01);
            x = T.Create(a[1]);
            c10 = T.MultiplyAdd(x, b0, c10);
            c11 = T.MultiplyAdd(x, b1, c11);
            x = T.Create(a[2]);
            c20 = T.MultiplyAdd(x, b0, c20);
            c21 = T.MultiplyAdd(x, b1, c21);
            x = T.Create(a[3]);
            c30 = T.MultiplyAdd(x, b0, c30);
            c31 = T.MultiplyAdd(x, b1, c31);
            x = T.Create(a[4]);
            c40 = T.MultiplyAdd(x, b0, c40);
            c41 = T.MultiplyAdd(x, b1, c41);
            x = T.Create(a[5]);
            c50 = T.MultiplyAdd(x, b0, c50);
            c51 = T.MultiplyAdd(x, b1, c51);
        }
        Put(c00, tile + 0 * Columns, add);
        Put(c01, tile + 0 * Columns + TLoad.Apart, add);
        Put(c10, tile + 1 * Columns, add);
        Put(c11, tile + 1 * Columns + TLoad.Apart, add);
        Put(c20, tile + 2 * Columns, add);
        Put(c21, tile + 2 * Columns + TLoad.Apart, add);
        Put(c30, tile + 3 * Columns, add);
        Put(c31, tile + 3 * Columns + TLoad.Apart, add);
        Put(c40, tile + 4 * Columns, add);
        Put(c41, tile + 4 * Columns + TLoad.Apart, add);
        Put(c50, tile + 5 * Columns, add);
        Put(c51, tile + 5 * Columns + TLoad.Apart, add);
    }

    /// <summary>4 rows × a pair of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4<T, TLoad>(float* a, byte* b, int depth, float* tile, bool add)
        where T : unmanaged, ISimd<T> where TLoad : IPanelLoad<T>
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        for (int k = 0; k < depth; k++, a += 4, b += Columns * TLoad.Size)
        {
            FetchAhead<TLoad, T>(b);
            T b0 = TLoad.Low(b), b1 = TLoad.High(b);
            T x;
            x = T.Create(a[0]);
            c00 = T.MultiplyAdd(x, b0, c00);
            c01 = T.MultiplyAdd(x, b1, c01);
            x = T.Create(a[1]);
            c10 = T.MultiplyAdd(x, b0, c10);
            c11 = T.MultiplyAdd(x, b1, c11);
            x = T.Create(a[2]);
            c20 = T.MultiplyAdd(x, b0, c20);
            c21 = T.MultiplyAdd(x, b1, c21);
            x = T.Create(a[3]);
            c30 = T.MultiplyAdd(x, b0, c30);
            c31 = T.MultiplyAdd(x, b1, c31);
        }
        Put(c00, tile + 0 * Columns, add);
        Put(c01, tile + 0 * Columns + TLoad.Apart, add);
        Put(c10, tile + 1 * Columns, add);
        Put(c11, tile + 1 * Columns + TLoad.Apart, add);
        Put(c20, tile + 2 * Columns, add);
        Put(c21, tile + 2 * Columns + TLoad.Apart, add);
        Put(c30, tile + 3 * Columns, add);
        Put(c31, tile + 3 * Columns + TLoad.Apart, add);
    }

    /// <summary>
    /// Sixteen-bit weights come straight from memory, a line every few multiply-adds: left to themselves, processors fetch those too late.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FetchAhead<TLoad, T>(byte* b) where TLoad : IPanelLoad<T>
    {
        if (Sse.IsSupported && TLoad.Size == 2) Sse.Prefetch0(b + RowsAhead * Columns * TLoad.Size);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<T>(T sum, float* to, bool add) where T : unmanaged, ISimd<T> => T.Store(add ? T.Load(to) + sum : sum, to);
}
