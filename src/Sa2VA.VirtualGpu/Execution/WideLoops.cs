using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Loops over rows of which some have 64 bits a lane, and over shifts.</summary>
internal static unsafe class WideLoops
{
    /// <summary>D = A shifted by B, of 32 bits.</summary>
    public static void Shift<T>(Warp w, Instruction i, uint mask) where T : struct, IShift
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        if (AllEqual(b, out int n))
        {
            Lanes.Store(w.Rows + i.D, mask, T.Do(Vector512.Load(a), n), T.Do(Vector512.Load(a + 16), n));
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
            for (int k = 0; k < 4; k++) Lanes.Store64(w.Rows + i.D, k, mask, T.Do(Vector512.Load(a + 8 * k), n));
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
        (Vector512<ulong> first, Vector512<ulong> second) = T.Do(Vector512.Load(a));
        (Vector512<ulong> third, Vector512<ulong> fourth) = T.Do(Vector512.Load(a + 16));
        byte* d = w.Rows + i.D;
        Lanes.Store64(d, 0, mask, first);
        Lanes.Store64(d, 1, mask, second);
        Lanes.Store64(d, 2, mask, third);
        Lanes.Store64(d, 3, mask, fourth);
    }

    /// <summary>D = A·B, both of 32 bits, and C of 64 bits added where there is one.</summary>
    public static void MultiplyWide<T>(Warp w, Instruction i, uint mask) where T : struct, IWiden
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        (Vector512<ulong> a0, Vector512<ulong> a1) = T.Do(Vector512.Load(a));
        (Vector512<ulong> a2, Vector512<ulong> a3) = T.Do(Vector512.Load(a + 16));
        (Vector512<ulong> b0, Vector512<ulong> b1) = T.Do(Vector512.Load(b));
        (Vector512<ulong> b2, Vector512<ulong> b3) = T.Do(Vector512.Load(b + 16));
        (a0, a1, a2, a3) = (a0 * b0, a1 * b1, a2 * b2, a3 * b3);
        if (i.C >= 0)
        {
            ulong* c = (ulong*)(w.Rows + i.C);
            a0 += Vector512.Load(c);
            a1 += Vector512.Load(c + 8);
            a2 += Vector512.Load(c + 16);
            a3 += Vector512.Load(c + 24);
        }
        byte* d = w.Rows + i.D;
        Lanes.Store64(d, 0, mask, a0);
        Lanes.Store64(d, 1, mask, a1);
        Lanes.Store64(d, 2, mask, a2);
        Lanes.Store64(d, 3, mask, a3);
    }

    /// <summary>D = the low 32 bits of A.</summary>
    public static void Narrow(Warp w, Instruction i, uint mask)
    {
        ulong* a = (ulong*)(w.Rows + i.A);
        Lanes.Store(w.Rows + i.D, mask, Vector512.Narrow(Vector512.Load(a), Vector512.Load(a + 8)),
            Vector512.Narrow(Vector512.Load(a + 16), Vector512.Load(a + 24)));
    }

    /// <summary>Compares A with B, both of 64 bits, as <see cref="LaneLoops.Compare{T}"/> does.</summary>
    public static void Compare64<T>(Warp w, Instruction i, uint mask) where T : struct, IBinary64
    {
        ulong* a = (ulong*)(w.Rows + i.A), b = (ulong*)(w.Rows + i.B);
        uint holds = 0;
        for (int k = 0; k < 4; k++)
            holds |= (uint)T.Do(Vector512.Load(a + 8 * k), Vector512.Load(b + 8 * k)).ExtractMostSignificantBits() << 8 * k;
        Comparison.Store(w, i, mask, holds);
    }

    /// <summary>lop3: Mode is the truth table.</summary>
    public static void Logic3(Warp w, Instruction i, uint mask)
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B), c = (uint*)(w.Rows + i.C);
        Lanes.Store(w.Rows + i.D, mask, Logic3(Vector512.Load(a), Vector512.Load(b), Vector512.Load(c), i.Mode),
            Logic3(Vector512.Load(a + 16), Vector512.Load(b + 16), Vector512.Load(c + 16), i.Mode));
    }

    private static Vector512<uint> Logic3(Vector512<uint> a, Vector512<uint> b, Vector512<uint> c, int table)
    {
        Vector512<uint> r = Vector512<uint>.Zero;
        for (int k = 0; k < 8; k++)
            if ((table >> k & 1) != 0) r |= ((k & 4) != 0 ? a : ~a) & ((k & 2) != 0 ? b : ~b) & ((k & 1) != 0 ? c : ~c);
        return r;
    }

    private static bool AllEqual(uint* row, out int n)
    {
        uint first = *row;
        n = (int)Math.Min(first, 64);
        Vector512<uint> all = Vector512.Create(first);
        return Vector512.EqualsAll(all, Vector512.Load(row)) && Vector512.EqualsAll(all, Vector512.Load(row + 16));
    }
}
