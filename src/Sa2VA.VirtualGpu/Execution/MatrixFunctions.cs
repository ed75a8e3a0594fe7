using Sa2VA.VirtualGpu.Ptx;

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
            for (int n = 0; n < 64; n++) to[n] = transposed ? matrix[n % 8 * 8 + n / 8] : matrix[n];
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
        for (int lane = 0; lane < 32; lane++)
        {
            int row = lane >> 2, column = 2 * (lane & 3);
            for (int q = 0; q < 4; q++) UnpackLeft(((uint*)(rows + r[4 + q]))[lane], half, a, lane, q);
            for (int q = 0; q < 2; q++) Unpack(((uint*)(rows + r[8 + q]))[lane], half, b + row * 16 + q * 8 + column);
        }
        LoadSums(w, r.AsSpan(10, 4), d);
        if (w.Block.ExactProducts) TensorCore.Exact(a, b, d);
        else TensorCore.Fast(a, b, d);
        StoreSums(w, r.AsSpan(0, 4), d);
    }

    /// <summary>The two elements of 16 × 16 that register q of a lane's fragment holds.</summary>
    public static void UnpackLeft(uint pair, bool half, float* a, int lane, int q) =>
        Unpack(pair, half, a + ((lane >> 2) + q % 2 * 8) * 16 + q / 2 * 8 + 2 * (lane & 3));

    /// <summary>Four rows of registers to 16 × 8 sums.</summary>
    public static void LoadSums(Warp w, ReadOnlySpan<int> rows, float* d)
    {
        for (int q = 0; q < 4; q++)
        {
            float* row = (float*)(w.Rows + rows[q]), to = d + q / 2 * 64 + q % 2;
            for (int lane = 0; lane < 32; lane++) to[2 * lane] = row[lane];
        }
    }

    /// <summary>16 × 8 sums to four rows of registers.</summary>
    public static void StoreSums(Warp w, ReadOnlySpan<int> rows, float* d)
    {
        for (int q = 0; q < 4; q++)
        {
            float* row = (float*)(w.Rows + rows[q]), from = d + q / 2 * 64 + q % 2;
            for (int lane = 0; lane < 32; lane++) row[lane] = from[2 * lane];
        }
    }

    private static void Unpack(uint pair, bool half, float* to)
    {
        to[0] = half ? FloatFunctions.Half(pair) : FloatFunctions.BFloat16(pair & 0xffff);
        to[1] = half ? FloatFunctions.Half(pair >> 16) : FloatFunctions.BFloat16(pair >> 16);
    }

    /// <summary>True when all 32 lanes are here.</summary>
    public static bool Whole(Warp w, Instruction i, uint mask)
    {
        if (w.Live != ~0u) throw w.Fault(FaultKind.DivergentCollective, i, $"lanes {~w.Live:x8} have ended, but all 32 must take part");
        return w.Gather(i, ~0u, mask);
    }
}
