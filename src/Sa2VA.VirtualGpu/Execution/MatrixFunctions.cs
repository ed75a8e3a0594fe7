using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Matrix fragments: loads from shared memory and products on tensor cores.</summary>
[SkipLocalsInit]
internal static unsafe class MatrixFunctions
{
    public const int Transposed = 1 << 8, Float16 = 1;

    /// <summary>
    /// ldmatrix: Rows.Length matrices of 8 × 8 elements of 16 bits; lanes 8k … 8k + 7 hold the addresses of the rows of matrix k.
    /// </summary>
    public static void Load(Warp w, Instruction i, uint mask)
    {
        if (!Whole(w, i, mask)) return;
        int count = i.Rows.Length;
        ushort* elements = stackalloc ushort[count * 64];
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        for (int lane = 0; lane < 8 * count; lane++)
        {
            ulong address = MemoryAccess.Address(w, i, lane);
            byte* from = MemoryAccess.SharedPlace(w, i, address, 16);
            access.Shared((uint)address, 16);
            w.Block.Shadow?.Read(w, i, (int)address, 16);
            MemoryAccess.CopyBytes((byte*)(elements + 8 * lane), from, 16);
        }
        access.Finish();
        bool transposed = (i.Mode & Transposed) != 0;
        for (int k = 0; k < count; k++)
        {
            ushort* matrix = elements + 64 * k, to = (ushort*)(w.Rows + i.Rows[k]);
            // Lane l holds elements 2·(l mod 4) and the next of row l / 4: a fragment's row is the matrix as it lies.
            if (!transposed) MemoryAccess.CopyBytes((byte*)to, (byte*)matrix, 128);
            else
                for (int n = 0; n < 64; n++) to[n] = matrix[n % 8 * 8 + n / 8];
        }
    }

    /// <summary>stmatrix: the other way round.</summary>
    public static void Store(Warp w, Instruction i, uint mask)
    {
        if (!Whole(w, i, mask)) return;
        bool transposed = (i.Mode & Transposed) != 0;
        ushort* turned = stackalloc ushort[64];
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        for (int k = 0; k < i.Rows.Length; k++)
        {
            ushort* matrix = (ushort*)(w.Rows + i.Rows[k]);
            if (transposed)
            {
                for (int n = 0; n < 64; n++) turned[n % 8 * 8 + n / 8] = matrix[n];
                matrix = turned;
            }
            for (int row = 0; row < 8; row++)
            {
                ulong address = MemoryAccess.Address(w, i, 8 * k + row);
                byte* to = MemoryAccess.SharedPlace(w, i, address, 16);
                access.Shared((uint)address, 16);
                w.Block.Shadow?.Write(w, i, (int)address, 16, atomic: false);
                MemoryAccess.CopyBytes(to, (byte*)(matrix + 8 * row), 16);
            }
        }
        access.Finish();
    }

    /// <summary>mma m16n8k16, sums in float32: Rows are four of D, four of A, two of B, four of C.</summary>
    public static void Product(Warp w, Instruction i, uint mask)
    {
        if (!Whole(w, i, mask)) return;
        float* a = stackalloc float[16 * 16], powers = stackalloc float[16 * 16];
        float* b = stackalloc float[16 * 8], d = stackalloc float[16 * 8];
        byte* rows = w.Rows;
        int[] r = i.Rows;
        bool half = (i.Mode & Float16) != 0;
        for (int q = 0; q < 4; q++) UnpackLeft(rows + r[4 + q], half, a, q);
        for (int q = 0; q < 2; q++)
        {
            byte* register = rows + r[8 + q];
            Turn(register, register + 16, register + 32, register + 48, register + 64, register + 80, register + 96, register + 112, half,
                b + q * 64);
        }
        LoadSums(w, r.AsSpan(10, 4), d);
        if (w.Block.ExactProducts)
            TensorCore.Exact(a, TensorCore.TryPowers(a, powers, 16 * 16) ? powers : null, b, d, w.Block.ProductTerms);
        else TensorCore.Fast(a, b, d);
        StoreSums(w, r.AsSpan(0, 4), d);
    }

    /// <summary>Four rows of registers to 16 × 8 sums.</summary>
    public static void LoadSums(Warp w, ReadOnlySpan<int> rows, float* d)
    {
        for (int q = 0; q < 4; q += 2)
        {
            uint* even = (uint*)(w.Rows + rows[q]), odd = (uint*)(w.Rows + rows[q + 1]);
            ulong* to = (ulong*)(d + q / 2 * 64);
            for (int lane = 0; lane < 32; lane += 8)
            {
                (Vector256<ulong> low, Vector256<ulong> high) = Vector256.Widen(Vector256.Load(even + lane));
                (Vector256<ulong> lowOdd, Vector256<ulong> highOdd) = Vector256.Widen(Vector256.Load(odd + lane));
                (low | lowOdd << 32).Store(to + lane);
                (high | highOdd << 32).Store(to + lane + 4);
            }
        }
    }

    /// <summary>16 × 8 sums to four rows of registers.</summary>
    public static void StoreSums(Warp w, ReadOnlySpan<int> rows, float* d)
    {
        for (int q = 0; q < 4; q += 2)
        {
            uint* even = (uint*)(w.Rows + rows[q]), odd = (uint*)(w.Rows + rows[q + 1]);
            ulong* from = (ulong*)(d + q / 2 * 64);
            for (int lane = 0; lane < 32; lane += 8)
            {
                Vector256<ulong> low = Vector256.Load(from + lane), high = Vector256.Load(from + lane + 4);
                Vector256.Narrow(low, high).Store(even + lane);
                Vector256.Narrow(low >>> 32, high >>> 32).Store(odd + lane);
            }
        }
    }

    /// <summary>The 8 × 8 elements of 16 × 16 that register q of a warp's fragments holds.</summary>
    public static void UnpackLeft(byte* register, bool half, float* a, int q)
    {
        float* to = a + q % 2 * 8 * 16 + q / 2 * 8;
        for (int row = 0; row < 8; row++) Widen(register + 16 * row, half, to + 16 * row);
    }

    /// <summary>Eight rows of eight elements to float32, rows as columns.</summary>
    public static void Turn(byte* r0, byte* r1, byte* r2, byte* r3, byte* r4, byte* r5, byte* r6, byte* r7, bool half, float* to)
    {
        ushort* turned = stackalloc ushort[64];
        if (Sse2.IsSupported)
        {
            Vector128<ushort> a = Vector128.Load((ushort*)r0), b = Vector128.Load((ushort*)r1), c = Vector128.Load((ushort*)r2),
                d = Vector128.Load((ushort*)r3), e = Vector128.Load((ushort*)r4), f = Vector128.Load((ushort*)r5),
                g = Vector128.Load((ushort*)r6), h = Vector128.Load((ushort*)r7);
            // Pairs of rows side by side, then fours, then all eight.
            Vector128<uint> ab = Low(a, b), abHigh = High(a, b), cd = Low(c, d), cdHigh = High(c, d), ef = Low(e, f), efHigh = High(e, f),
                gh = Low(g, h), ghHigh = High(g, h);
            Store(turned, ab, cd, ef, gh);
            Store(turned + 32, abHigh, cdHigh, efHigh, ghHigh);
        }
        else
        {
            for (int n = 0; n < 8; n++)
            {
                (turned[8 * n], turned[8 * n + 1], turned[8 * n + 2], turned[8 * n + 3]) =
                    (((ushort*)r0)[n], ((ushort*)r1)[n], ((ushort*)r2)[n], ((ushort*)r3)[n]);
                (turned[8 * n + 4], turned[8 * n + 5], turned[8 * n + 6], turned[8 * n + 7]) =
                    (((ushort*)r4)[n], ((ushort*)r5)[n], ((ushort*)r6)[n], ((ushort*)r7)[n]);
            }
        }
        for (int n = 0; n < 64; n += 8) Widen((byte*)(turned + n), half, to + n);

        static Vector128<uint> Low(Vector128<ushort> x, Vector128<ushort> y) => Sse2.UnpackLow(x, y).AsUInt32();

        static Vector128<uint> High(Vector128<ushort> x, Vector128<ushort> y) => Sse2.UnpackHigh(x, y).AsUInt32();

        static void Store(ushort* to, Vector128<uint> ab, Vector128<uint> cd, Vector128<uint> ef, Vector128<uint> gh)
        {
            Vector128<ulong> left = Sse2.UnpackLow(ab, cd).AsUInt64(), right = Sse2.UnpackLow(ef, gh).AsUInt64(),
                leftHigh = Sse2.UnpackHigh(ab, cd).AsUInt64(), rightHigh = Sse2.UnpackHigh(ef, gh).AsUInt64();
            Sse2.UnpackLow(left, right).AsUInt16().Store(to);
            Sse2.UnpackHigh(left, right).AsUInt16().Store(to + 8);
            Sse2.UnpackLow(leftHigh, rightHigh).AsUInt16().Store(to + 16);
            Sse2.UnpackHigh(leftHigh, rightHigh).AsUInt16().Store(to + 24);
        }
    }

    /// <summary>Eight elements as float32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Widen(byte* from, bool half, float* to)
    {
        if (half)
            for (int n = 0; n < 8; n++) to[n] = FloatFunctions.Half(((ushort*)from)[n]);
        else (Vector256.WidenLower(Vector256.Create(Vector128.Load((ushort*)from), default)) << 16).AsSingle().Store(to);
    }

    /// <summary>True when all 32 lanes are here.</summary>
    public static bool Whole(Warp w, Instruction i, uint mask)
    {
        if (w.Live != ~0u) throw w.Fault(FaultKind.DivergentCollective, i, $"lanes {~w.Live:x8} have ended, but all 32 must take part");
        return w.Gather(i, ~0u, mask);
    }
}
