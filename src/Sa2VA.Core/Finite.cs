using System.Numerics;
using System.Runtime.InteropServices;

namespace Sa2VA.Core;

/// <summary>Finds NaN and infinities at the speed of memory: all exponent bits of a float are set in them and in nothing else.</summary>
public static class Finite
{
    private const uint Exponent32 = 0x7F80_0000;
    private const ushort Exponent16 = 0x7C00, ExponentBFloat16 = 0x7F80;

    /// <summary>Index of the first value that is NaN or infinite; −1 if all are finite.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> values) => IndexOfAllSet(MemoryMarshal.Cast<float, uint>(values), Exponent32);

    /// <summary>Index of the first value of a stored weight that is NaN or infinite, in stored order; −1 if all are finite.</summary>
    public static unsafe long IndexOfNonFinite(WeightData data)
    {
        const int AtOnce = 1 << 20;
        long count = data.Info.Shape.Count;
        for (long i = 0; i < count; i += AtOnce)
        {
            int n = (int)Math.Min(AtOnce, count - i), found = data.Info.Type switch
            {
                DType.F32 => IndexOfAllSet(new ReadOnlySpan<uint>((uint*)data.Pointer + i, n), Exponent32),
                DType.F16 => IndexOfAllSet(new ReadOnlySpan<ushort>((ushort*)data.Pointer + i, n), Exponent16),
                DType.BF16 => IndexOfAllSet(new ReadOnlySpan<ushort>((ushort*)data.Pointer + i, n), ExponentBFloat16),
                _ => -1,
            };
            if (found >= 0) return i + found;
        }
        return -1;
    }

    /// <summary>Throws if a stored weight holds a value that is NaN or infinite.</summary>
    /// <exception cref="CheckpointException">It does; the message names the tensor, the first such value and its place.</exception>
    public static unsafe void Check(WeightData data)
    {
        long index = IndexOfNonFinite(data);
        if (index < 0) return;
        float value = data.Info.Type switch
        {
            DType.F32 => ((float*)data.Pointer)[index],
            DType.F16 => (float)((Half*)data.Pointer)[index],
            _ => ((BFloat16*)data.Pointer)[index].ToSingle(),
        };
        throw new CheckpointException(
            $"Tensor '{data.Info.Name}' {data.Info.Shape} holds {NameOf(value)} at element {index}: its values are not finite. "
            + "The file is damaged or was converted wrongly; get it anew.");
    }

    /// <summary>What a value that is not finite is called in messages: NaN, infinity or −infinity.</summary>
    public static string NameOf(float value) => float.IsNaN(value) ? "NaN" : value > 0 ? "infinity" : "−infinity";

    private static int IndexOfAllSet<T>(ReadOnlySpan<T> values, T bits) where T : unmanaged, IBinaryInteger<T>
    {
        int i = 0, step = 4 * Vector<T>.Count;
        var mask = new Vector<T>(bits);
        for (; i <= values.Length - step; i += step)
        {
            ReadOnlySpan<Vector<T>> four = MemoryMarshal.Cast<T, Vector<T>>(values.Slice(i, step));
            Vector<T> hits = Vector.Equals(four[0] & mask, mask) | Vector.Equals(four[1] & mask, mask)
                | Vector.Equals(four[2] & mask, mask) | Vector.Equals(four[3] & mask, mask);
            if (hits != Vector<T>.Zero) break;
        }
        for (; i < values.Length; i++)
            if ((values[i] & bits) == bits) return i;
        return -1;
    }
}
