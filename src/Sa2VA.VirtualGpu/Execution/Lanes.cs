using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Rows of 32 lanes as vectors: two of 16 × 32 bits, or four of 8 × 64 bits; stores touch the lanes of a mask only.</summary>
internal static unsafe class Lanes
{
    private static readonly Vector512<uint> Bits = Vector512.Create(
        1u, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768);

    private static readonly Vector512<ulong> Bits64 = Vector512.Create(1ul, 2, 4, 8, 16, 32, 64, 128);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Mask(uint mask)
    {
        Vector512<uint> bits = Bits;
        return Vector512.Equals(Vector512.Create(mask) & bits, bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<ulong> Mask64(uint mask)
    {
        Vector512<ulong> bits = Bits64;
        return Vector512.Equals(Vector512.Create((ulong)mask) & bits, bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* row, uint mask, Vector512<uint> low, Vector512<uint> high)
    {
        if (mask != ~0u)
        {
            low = Vector512.ConditionalSelect(Mask(mask & 0xffff), low, Vector512.Load((uint*)row));
            high = Vector512.ConditionalSelect(Mask(mask >> 16), high, Vector512.Load((uint*)row + 16));
        }
        low.Store((uint*)row);
        high.Store((uint*)row + 16);
    }

    /// <summary>Stores lanes 8·part … 8·part + 7 of a 64-bit row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store64(byte* row, int part, uint mask, Vector512<ulong> value)
    {
        ulong* to = (ulong*)row + 8 * part;
        uint lanes = mask >> 8 * part & 255;
        if (lanes != 255) value = Vector512.ConditionalSelect(Mask64(lanes), value, Vector512.Load(to));
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
