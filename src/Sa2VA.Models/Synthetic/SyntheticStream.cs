using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The number stream of a name (docs/model/synthetic.md#values): SplitMix64 seeded with FNV-1a, so that any element can be computed alone.
/// </summary>
public readonly struct SyntheticStream
{
    private const ulong Golden = 0x9E3779B97F4A7C15;
    private const ulong Mix1 = 0xBF58476D1CE4E5B9, Mix2 = 0x94D049BB133111EB;
    private const float Step = 1f / (1 << 23);
    private readonly ulong _seed;

    /// <summary>Creates the stream of a name.</summary>
    public SyntheticStream(string name)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) hash = (hash ^ b) * 0x100000001b3;
        _seed = hash;
    }

    /// <summary>Element <paramref name="index"/>, in [−1, 1), exact in binary32.</summary>
    public float this[long index]
    {
        get
        {
            ulong z = _seed + ((ulong)index + 1) * Golden;
            z = (z ^ (z >> 30)) * Mix1;
            z = (z ^ (z >> 27)) * Mix2;
            z ^= z >> 31;
            return (z >> 40) * Step - 1f;
        }
    }

    /// <summary>Elements from <paramref name="start"/> on, each scaled, shifted and rounded to bfloat16.</summary>
    internal void Fill(long start, Span<BFloat16> target, float scale, float shift)
    {
        int done = Vector256.IsHardwareAccelerated ? FillVectors(start, MemoryMarshal.Cast<BFloat16, ushort>(target), scale, shift) : 0;
        for (int i = done; i < target.Length; i++) target[i] = BFloat16.FromSingle(this[start + i] * scale + shift);
    }

    // Sixteen elements at a time; the same operations in the same order, so the same bits.
    private int FillVectors(long start, Span<ushort> target, float scale, float shift)
    {
        Vector256<ulong> next = Vector256.Create(_seed + (ulong)start * Golden)
            + Vector256.Create(Golden, unchecked(2 * Golden), unchecked(3 * Golden), unchecked(4 * Golden));
        Vector256<ulong> four = Vector256.Create(unchecked(4 * Golden));
        Vector256<float> scales = Vector256.Create(scale), shifts = Vector256.Create(shift);
        ref ushort to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= target.Length - 16; i += 16)
        {
            Vector256<ulong> a = next, b = a + four, c = b + four, d = c + four;
            next = d + four;
            Vector256<uint> low = Rounded(Vector256.Narrow(Mixed(a), Mixed(b)), scales, shifts);
            Vector256<uint> high = Rounded(Vector256.Narrow(Mixed(c), Mixed(d)), scales, shifts);
            Vector256.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }
        return i;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Mixed(Vector256<ulong> z)
    {
        z = (z ^ (z >>> 30)) * Mix1;
        z = (z ^ (z >>> 27)) * Mix2;
        return (z ^ (z >>> 31)) >>> 40;
    }

    // The values are finite, so rounding needs no case for NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Rounded(Vector256<uint> top, Vector256<float> scale, Vector256<float> shift)
    {
        Vector256<float> unit = Vector256.ConvertToSingle(top.AsInt32()) * Step - Vector256<float>.One;
        Vector256<uint> bits = (unit * scale + shift).AsUInt32();
        return (bits + Vector256.Create(0x7fffu) + ((bits >>> 16) & Vector256<uint>.One)) >>> 16;
    }
}
