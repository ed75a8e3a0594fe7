using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Loops over rows of which some have 64 bits a lane, and over shifts.</summary>
[SkipLocalsInit]
internal static unsafe class WideLoops
{
    /// <summary>D = A shifted by B, of 32 bits.</summary>
    public static void Shift<T>(Warp w, Instruction i, uint mask) where T : struct, IShift
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        if (AllEqual(b, out int n))
        {
            Lanes.Store(w.Rows + i.D, mask, T.Do(Vector256.Load(a), n), T.Do(Vector256.Load(a + 8), n),
                T.Do(Vector256.Load(a + 16), n), T.Do(Vector256.Load(a + 24), n));
            return;
        }
        uint* d = (uint*)(w.Rows + i.D);
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) d[lane] = T.One(a[lane], b[lane]);
    }

    /// <summary>D = A shifted by B, of 64 bits; B has 32.</summary>
    public static void Shift64<T>(Warp w, Instruction i, uint mask) where T : struct, IShift
    {
        ulong* a = (ulong*)(w.Rows + i.A);
        uint* b = (uint*)(w.Rows + i.B);
        if (AllEqual(b, out int n))
        {
            for (int k = 0; k < 8; k++) Lanes.Store64(w.Rows + i.D, k, mask, T.Do(Vector256.Load(a + 4 * k), n));
            return;
        }
        ulong* d = (ulong*)(w.Rows + i.D);
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) d[lane] = T.One(a[lane], b[lane]);
    }

    /// <summary>D = A, widened to 64 bits.</summary>
    public static void Widen<T>(Warp w, Instruction i, uint mask) where T : struct, IWiden
    {
        uint* a = (uint*)(w.Rows + i.A);
        Vector256<uint> a0 = Vector256.Load(a), a1 = Vector256.Load(a + 8), a2 = Vector256.Load(a + 16), a3 = Vector256.Load(a + 24);
        byte* d = w.Rows + i.D;
        Store(d, 0, mask, T.Do(a0));
        Store(d, 2, mask, T.Do(a1));
        Store(d, 4, mask, T.Do(a2));
        Store(d, 6, mask, T.Do(a3));
    }

    /// <summary>D = A·B, both of 32 bits, and C of 64 bits added where there is one.</summary>
    public static void MultiplyWide<T>(Warp w, Instruction i, uint mask) where T : struct, IWiden
    {
        // D may lie where A and B did.
        uint* a = stackalloc uint[64], b = a + 32;
        new ReadOnlySpan<uint>(w.Rows + i.A, 32).CopyTo(new Span<uint>(a, 32));
        new ReadOnlySpan<uint>(w.Rows + i.B, 32).CopyTo(new Span<uint>(b, 32));
        ulong* c = (ulong*)(w.Rows + i.C);
        byte* d = w.Rows + i.D;
        for (int part = 0; part < 8; part += 2)
        {
            (Vector256<ulong> low, Vector256<ulong> high) = T.Do(Vector256.Load(a + 4 * part));
            (Vector256<ulong> byLow, Vector256<ulong> byHigh) = T.Do(Vector256.Load(b + 4 * part));
            (low, high) = (T.Multiply(low, byLow), T.Multiply(high, byHigh));
            if (i.C >= 0) (low, high) = (low + Vector256.Load(c + 4 * part), high + Vector256.Load(c + 4 * part + 4));
            Store(d, part, mask, (low, high));
        }
    }

    private static void Store(byte* row, int part, uint mask, (Vector256<ulong> Low, Vector256<ulong> High) values)
    {
        Lanes.Store64(row, part, mask, values.Low);
        Lanes.Store64(row, part + 1, mask, values.High);
    }

    /// <summary>D = the low 32 bits of A.</summary>
    public static void Narrow(Warp w, Instruction i, uint mask)
    {
        ulong* a = (ulong*)(w.Rows + i.A);
        Lanes.Store(w.Rows + i.D, mask, Low(a), Low(a + 8), Low(a + 16), Low(a + 24));

        static Vector256<uint> Low(ulong* lanes) => Vector256.Narrow(Vector256.Load(lanes), Vector256.Load(lanes + 4));
    }

    /// <summary>Compares A with B, both of 64 bits, as <see cref="LaneLoops.Compare{T}"/> does.</summary>
    public static void Compare64<T>(Warp w, Instruction i, uint mask) where T : struct, IBinary64
    {
        ulong* a = (ulong*)(w.Rows + i.A), b = (ulong*)(w.Rows + i.B);
        uint holds = 0;
        for (int k = 0; k < 32; k += 4)
            holds |= T.Do(Vector256.Load(a + k), Vector256.Load(b + k)).ExtractMostSignificantBits() << k;
        Comparison.Store(w, i, mask, holds);
    }

    /// <summary>lop3: Mode is the truth table.</summary>
    public static void Logic3(Warp w, Instruction i, uint mask)
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B), c = (uint*)(w.Rows + i.C);
        Lanes.Store(w.Rows + i.D, mask, Logic3(Vector256.Load(a), Vector256.Load(b), Vector256.Load(c), i.Mode),
            Logic3(Vector256.Load(a + 8), Vector256.Load(b + 8), Vector256.Load(c + 8), i.Mode),
            Logic3(Vector256.Load(a + 16), Vector256.Load(b + 16), Vector256.Load(c + 16), i.Mode),
            Logic3(Vector256.Load(a + 24), Vector256.Load(b + 24), Vector256.Load(c + 24), i.Mode));
    }

    private static Vector256<uint> Logic3(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c, int table)
    {
        Vector256<uint> r = Vector256<uint>.Zero;
        for (int k = 0; k < 8; k++)
            if ((table >> k & 1) != 0) r |= ((k & 4) != 0 ? a : ~a) & ((k & 2) != 0 ? b : ~b) & ((k & 1) != 0 ? c : ~c);
        return r;
    }

    private static bool AllEqual(uint* row, out int n)
    {
        uint first = *row;
        n = (int)Math.Min(first, 64);
        Vector256<uint> all = Vector256.Create(first);
        return ((all ^ Vector256.Load(row)) | (all ^ Vector256.Load(row + 8)) | (all ^ Vector256.Load(row + 16))
            | (all ^ Vector256.Load(row + 24))) == Vector256<uint>.Zero;
    }
}
