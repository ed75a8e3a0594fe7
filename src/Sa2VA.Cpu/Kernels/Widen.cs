using System.Runtime.Intrinsics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Conversions between stored float types and F32, one row at a time. Every conversion is exact or rounds to nearest even.
/// </summary>
internal static unsafe class Widen
{
    /// <summary>Elements [offset, offset + to.Length) of stored floats, as F32.</summary>
    public static void Row(byte* from, DType type, long offset, Span<float> to)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<float>((float*)from + offset, to.Length).CopyTo(to);
                break;
            case DType.BF16:
                FromBFloat16(new ReadOnlySpan<ushort>((ushort*)from + offset, to.Length), to);
                break;
            default:
                var halves = new ReadOnlySpan<Half>((Half*)from + offset, to.Length);
                for (int i = 0; i < to.Length; i++) to[i] = (float)halves[i];
                break;
        }
    }

    /// <summary>F32 elements stored as <paramref name="type"/>.</summary>
    public static void Store(ReadOnlySpan<float> from, byte* to, DType type, long offset)
    {
        switch (type)
        {
            case DType.F32:
                from.CopyTo(new Span<float>((float*)to + offset, from.Length));
                break;
            case DType.BF16:
                ToBFloat16(from, new Span<ushort>((ushort*)to + offset, from.Length));
                break;
            default:
                var halves = new Span<Half>((Half*)to + offset, from.Length);
                for (int i = 0; i < from.Length; i++) halves[i] = (Half)from[i];
                break;
        }
    }

    private static void FromBFloat16(ReadOnlySpan<ushort> from, Span<float> to)
    {
        int i = 0;
        for (; i <= from.Length - 16; i += 16)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(from.Slice(i, 16)));
            Vector256.ShiftLeft(low, 16).AsSingle().CopyTo(to[i..]);
            Vector256.ShiftLeft(high, 16).AsSingle().CopyTo(to[(i + 8)..]);
        }
        for (; i < from.Length; i++) to[i] = new BFloat16(from[i]).ToSingle();
    }

    private static void ToBFloat16(ReadOnlySpan<float> from, Span<ushort> to)
    {
        int i = 0;
        for (; i <= from.Length - 16; i += 16)
            Vector256.Narrow(Rounded(Vector256.Create(from.Slice(i, 8))), Rounded(Vector256.Create(from.Slice(i + 8, 8)))).CopyTo(to[i..]);
        for (; i < from.Length; i++) to[i] = BFloat16.FromSingle(from[i]).Bits;
    }

    /// <summary>The upper halves of <see cref="BFloat16.FromSingle"/>, in the lower ones.</summary>
    private static Vector256<uint> Rounded(Vector256<float> values)
    {
        Vector256<uint> bits = values.AsUInt32(), upper = Vector256.ShiftRightLogical(bits, 16);
        Vector256<uint> nearest = Vector256.ShiftRightLogical(bits + Vector256.Create(0x7fffu) + (upper & Vector256<uint>.One), 16);
        return Vector256.ConditionalSelect(Vector256.Equals(values, values).AsUInt32(), nearest, upper | Vector256.Create(0x40u));
    }
}
