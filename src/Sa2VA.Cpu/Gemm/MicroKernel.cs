using System.Runtime.CompilerServices;

namespace Sa2VA.Cpu;

/// <summary>
/// The register blocks of the GEMM. Accumulators are named locals because only those stay in registers: 12×2 of 32 zmm, 6×2 of 16 ymm or
/// xmm.
/// </summary>
internal static unsafe class MicroKernel
{
    /// <summary>Rows of the block that suits a width.</summary>
    public static int Rows(SimdLevel level) => level == SimdLevel.V512 ? 12 : 6;

    /// <summary>
    /// 12 rows × two vectors: tile[r][0…2·Count) = Σ_k a[k][r]·b[k][0…2·Count), a chain of fused multiply-adds in increasing k.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile12<T>(float* a, float* b, int bStride, int depth, float* tile, int tileStride) where T : unmanaged, ISimd<T>
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
        for (int k = 0; k < depth; k++, a += 12, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + T.Count);
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
        T.Store(c00, tile + 0 * tileStride);
        T.Store(c01, tile + 0 * tileStride + T.Count);
        T.Store(c10, tile + 1 * tileStride);
        T.Store(c11, tile + 1 * tileStride + T.Count);
        T.Store(c20, tile + 2 * tileStride);
        T.Store(c21, tile + 2 * tileStride + T.Count);
        T.Store(c30, tile + 3 * tileStride);
        T.Store(c31, tile + 3 * tileStride + T.Count);
        T.Store(c40, tile + 4 * tileStride);
        T.Store(c41, tile + 4 * tileStride + T.Count);
        T.Store(c50, tile + 5 * tileStride);
        T.Store(c51, tile + 5 * tileStride + T.Count);
        T.Store(c60, tile + 6 * tileStride);
        T.Store(c61, tile + 6 * tileStride + T.Count);
        T.Store(c70, tile + 7 * tileStride);
        T.Store(c71, tile + 7 * tileStride + T.Count);
        T.Store(c80, tile + 8 * tileStride);
        T.Store(c81, tile + 8 * tileStride + T.Count);
        T.Store(c90, tile + 9 * tileStride);
        T.Store(c91, tile + 9 * tileStride + T.Count);
        T.Store(c100, tile + 10 * tileStride);
        T.Store(c101, tile + 10 * tileStride + T.Count);
        T.Store(c110, tile + 11 * tileStride);
        T.Store(c111, tile + 11 * tileStride + T.Count);
    }

    /// <summary>
    /// 6 rows × two vectors: tile[r][0…2·Count) = Σ_k a[k][r]·b[k][0…2·Count), a chain of fused multiply-adds in increasing k.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Tile6<T>(float* a, float* b, int bStride, int depth, float* tile, int tileStride) where T : unmanaged, ISimd<T>
    {
        T c00 = T.Zero, c01 = T.Zero;
        T c10 = T.Zero, c11 = T.Zero;
        T c20 = T.Zero, c21 = T.Zero;
        T c30 = T.Zero, c31 = T.Zero;
        T c40 = T.Zero, c41 = T.Zero;
        T c50 = T.Zero, c51 = T.Zero;
        for (int k = 0; k < depth; k++, a += 6, b += bStride)
        {
            T b0 = T.Load(b), b1 = T.Load(b + T.Count);
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
        T.Store(c00, tile + 0 * tileStride);
        T.Store(c01, tile + 0 * tileStride + T.Count);
        T.Store(c10, tile + 1 * tileStride);
        T.Store(c11, tile + 1 * tileStride + T.Count);
        T.Store(c20, tile + 2 * tileStride);
        T.Store(c21, tile + 2 * tileStride + T.Count);
        T.Store(c30, tile + 3 * tileStride);
        T.Store(c31, tile + 3 * tileStride + T.Count);
        T.Store(c40, tile + 4 * tileStride);
        T.Store(c41, tile + 4 * tileStride + T.Count);
        T.Store(c50, tile + 5 * tileStride);
        T.Store(c51, tile + 5 * tileStride + T.Count);
    }
}
