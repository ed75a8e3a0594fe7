using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Matrix fragments: loads from shared memory and products on tensor cores.</summary>
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
        var access = new AccessCounter(w, i);
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

    /// <summary>mma m16n8k16, sums in float32: Rows are four of D, four of A, two of B, four of C.</summary>
    public static void Product(Warp w, Instruction i, uint mask)
    {
        if (!Whole(w, i, mask)) return;
        float* a = stackalloc float[16 * 16], b = stackalloc float[8 * 16], d = stackalloc float[16 * 8];
        byte* rows = w.Rows;
        int[] r = i.Rows;
        bool half = (i.Mode & Float16) != 0;
        for (int q = 0; q < 4; q++) UnpackLeft(rows + r[4 + q], half, a, q);
        for (int q = 0; q < 2; q++) Unpack(rows + r[8 + q], half, b + q * 8);
        LoadSums(w, r.AsSpan(10, 4), d);
        if (w.Block.ExactProducts) TensorCore.Exact(a, b, d);
        else TensorCore.Fast(a, b, d);
        StoreSums(w, r.AsSpan(0, 4), d);
    }

    /// <summary>The 8 × 8 elements of 16 × 16 that register q of a warp's fragments holds.</summary>
    public static void UnpackLeft(byte* register, bool half, float* a, int q) => Unpack(register, half, a + q % 2 * 8 * 16 + q / 2 * 8);

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

    /// <summary>A register of fragments: eight rows of eight elements, to rows of 16.</summary>
    private static void Unpack(byte* register, bool half, float* to)
    {
        for (int row = 0; row < 8; row++) Widen(register + 16 * row, half, to + 16 * row);
    }

    /// <summary>Eight elements as float32.</summary>
    public static void Widen(byte* from, bool half, float* to)
    {
        if (half)
            for (int n = 0; n < 8; n++) to[n] = FloatFunctions.Half(((ushort*)from)[n]);
        else
        {
            (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load((ushort*)from));
            (low << 16).AsSingle().Store(to);
            (high << 16).AsSingle().Store(to + 4);
        }
    }

    /// <summary>True when all 32 lanes are here.</summary>
    public static bool Whole(Warp w, Instruction i, uint mask)
    {
        if (w.Live != ~0u) throw w.Fault(FaultKind.DivergentCollective, i, $"lanes {~w.Live:x8} have ended, but all 32 must take part");
        return w.Gather(i, ~0u, mask);
    }
}
