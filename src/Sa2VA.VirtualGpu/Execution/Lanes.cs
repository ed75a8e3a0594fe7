using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Rows of 32 lanes as vectors: four of 8 × 32 bits, or eight of 4 × 64 bits; stores touch the lanes of a mask only. Processors without
/// vectors of 512 bits take those apart in memory, so none are used.
/// </summary>
internal static unsafe class Lanes
{
    /// <summary>All ones for the lanes of a mask's lowest eight bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Mask(uint mask)
    {
        Vector256<uint> bits = Vector256.Create(1u, 2, 4, 8, 16, 32, 64, 128);
        return Vector256.Equals(Vector256.Create(mask) & bits, bits);
    }

    /// <summary>All ones for the lanes of a mask's lowest four bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Mask64(uint mask)
    {
        Vector256<ulong> bits = Vector256.Create(1ul, 2, 4, 8);
        return Vector256.Equals(Vector256.Create((ulong)mask) & bits, bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* row, uint mask, Vector256<uint> a, Vector256<uint> b, Vector256<uint> c, Vector256<uint> d)
    {
        uint* to = (uint*)row;
        if (mask != ~0u)
        {
            a = Vector256.ConditionalSelect(Mask(mask), a, Vector256.Load(to));
            b = Vector256.ConditionalSelect(Mask(mask >> 8), b, Vector256.Load(to + 8));
            c = Vector256.ConditionalSelect(Mask(mask >> 16), c, Vector256.Load(to + 16));
            d = Vector256.ConditionalSelect(Mask(mask >> 24), d, Vector256.Load(to + 24));
        }
        a.Store(to);
        b.Store(to + 8);
        c.Store(to + 16);
        d.Store(to + 24);
    }

    /// <summary>Stores all lanes of a 32-bit row.</summary>
    public static void Store(byte* row, uint mask, uint* values) => Store(row, mask, Vector256.Load(values), Vector256.Load(values + 8),
        Vector256.Load(values + 16), Vector256.Load(values + 24));

    /// <summary>Stores lanes 4·part … 4·part + 3 of a 64-bit row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store64(byte* row, int part, uint mask, Vector256<ulong> value)
    {
        ulong* to = (ulong*)row + 4 * part;
        uint lanes = mask >> 4 * part & 15;
        if (lanes != 15) value = Vector256.ConditionalSelect(Mask64(lanes), value, Vector256.Load(to));
        value.Store(to);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetPredicate(byte* row, uint mask, uint value)
    {
        uint* p = (uint*)row;
        *p = *p & ~mask | value & mask;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* row, int lane, bool wide) => wide ? ((ulong*)row)[lane] : ((uint*)row)[lane];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* row, int lane, bool wide, ulong value)
    {
        if (wide) ((ulong*)row)[lane] = value;
        else ((uint*)row)[lane] = (uint)value;
    }
}
