using System.Numerics;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Sums of a 16 × 8 × 16 product: d[16][8] += a[16][16] · b[8][16]ᵀ.</summary>
internal static unsafe class TensorCore
{
    /// <summary>Bits after the point to which a Hopper card cuts its summands, relative to the largest exponent.</summary>
    private const int Fraction = 25;

    /// <summary>The exponent of zero, below all others and their sums.</summary>
    private const int Nothing = -10000;

    /// <summary>
    /// To the bit as an H200 was found to do it: the 16 exact products and the accumulator are aligned to the largest exponent among them
    /// (of a
    /// product the sum of its factors' exponents), each cut toward zero to 25 fraction bits, added as integers, and the sum cut toward zero
    /// to
    /// 24 bits. Unproven on a card: denormal factors, and other generations (an A100 sums eight at a time).
    /// </summary>
    public static void Exact(float* a, float* b, float* d)
    {
        if (!TryExactRows(a, b, d))
            for (int m = 0; m < 16; m++)
                for (int n = 0; n < 8; n++) d[m * 8 + n] = Dot(a + m * 16, b + n * 16, d[m * 8 + n]);
    }

    /// <summary>
    /// The same for eight columns at once, in float32 and integers, where exponents are such that these are exact: a product has at most 22
    /// bits, and sixteen of them aligned as here stay below 2³¹. False, and nothing done, where a factor or a sum is too large, too small
    /// or not finite.
    /// </summary>
    private static bool TryExactRows(float* a, float* b, float* d)
    {
        float* columns = stackalloc float[16 * 8];
        int* left = stackalloc int[16 * 16], right = stackalloc int[16 * 8];
        Transpose(b, columns);
        // Factors of 2^±60, so that products and what they are scaled to are normal numbers.
        if (!Exponents(a, left, 16 * 16, 60) || !Exponents(columns, right, 16 * 8, 60)) return false;
        int* tops = stackalloc int[16 * 8];
        Vector256<int> least = Vector256.Create(int.MaxValue), most = Vector256.Create(int.MinValue);
        for (int m = 0; m < 16; m++)
        {
            Vector256<int> sum = Vector256.Load((int*)d + m * 8);
            Vector256<int> top = Vector256.ConditionalSelect(Vector256.Equals(sum << 1, Vector256<int>.Zero), Vector256.Create(Nothing),
                Vector256.Max(sum >>> 23 & Vector256.Create(255), Vector256<int>.One) - Vector256.Create(127));
            for (int k = 0; k < 16; k++)
                top = Vector256.Max(top, Vector256.Create(left[m * 16 + k]) + Vector256.Load(right + k * 8));
            // Where all is zero any exponent will do.
            top = Vector256.ConditionalSelect(Vector256.LessThan(top, Vector256.Create(Nothing / 2)), Vector256<int>.Zero, top);
            top.Store(tops + m * 8);
            least = Vector256.Min(least, top);
            most = Vector256.Max(most, top);
        }
        // 2^(25 − top) and the accumulator's finiteness.
        if (Vector256.LessThanAny(least, Vector256.Create(-100)) || Vector256.GreaterThanAny(most, Vector256.Create(127))) return false;
        for (int m = 0; m < 16; m++)
        {
            Vector256<int> top = Vector256.Load(tops + m * 8);
            Vector256<float> scale = (Vector256.Create(127 + Fraction) - top << 23).AsSingle();
            Vector256<int> sum = Vector256<int>.Zero;
            for (int k = 0; k < 16; k++)
                sum += Vector256.ConvertToInt32Native(Vector256.Create(a[m * 16 + k]) * Vector256.Load(columns + k * 8) * scale);
            Vector256<int> before = Vector256.ConvertToInt32Native(Vector256.Load(d + m * 8) * scale);
            Vector256.Create(Cut(sum.GetLower(), before.GetLower(), top.GetLower()),
                Cut(sum.GetUpper(), before.GetUpper(), top.GetUpper())).Store(d + m * 8);
        }
        return true;
    }

    /// <summary>(sum + before) · 2^(top − 25), cut toward zero to 24 bits.</summary>
    private static Vector128<float> Cut(Vector128<int> sum, Vector128<int> before, Vector128<int> top)
    {
        Vector256<double> whole = Wide(sum) + Wide(before);
        Vector256<double> cut = (whole.AsInt64() & Vector256.Create(-1L << 53 - 24)).AsDouble();
        (Vector128<long> low, Vector128<long> high) = Vector128.Widen(top + Vector128.Create(1023 - Fraction));
        Vector256<double> value = cut * Vector256.Create(low << 52, high << 52).AsDouble();
        return Vector128.Narrow(value.GetLower(), value.GetUpper());

        static Vector256<double> Wide(Vector128<int> x)
        {
            (Vector128<long> low, Vector128<long> high) = Vector128.Widen(x);
            return Vector256.ConvertToDouble(Vector256.Create(low, high));
        }
    }

    /// <summary>Exponents, <see cref="Nothing"/> of zeros. False where one is further from 0 than allowed.</summary>
    private static bool Exponents(float* values, int* exponents, int count, int most)
    {
        Vector256<int> largest = Vector256<int>.Zero;
        for (int n = 0; n < count; n += 8)
        {
            Vector256<int> bits = Vector256.Load((int*)values + n), zero = Vector256.Equals(bits << 1, Vector256<int>.Zero);
            Vector256<int> exponent = (bits >>> 23 & Vector256.Create(255)) - Vector256.Create(127);
            largest = Vector256.Max(largest, Vector256.AndNot(Vector256.Abs(exponent), zero));
            Vector256.ConditionalSelect(zero, Vector256.Create(Nothing), exponent).Store(exponents + n);
        }
        return Vector256.LessThanOrEqualAll(largest, Vector256.Create(most));
    }

    /// <summary>b[8][16] to columns[16][8].</summary>
    private static void Transpose(float* b, float* columns)
    {
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 8; n++) columns[k * 8 + n] = b[n * 16 + k];
    }

    /// <summary>Fused products in order of k, float32.</summary>
    public static void Fast(float* a, float* b, float* d)
    {
        float* columns = stackalloc float[16 * 8];
        Transpose(b, columns);
        for (int m = 0; m < 16; m++)
        {
            Vector256<float> sum = Vector256.Load(d + m * 8);
            for (int k = 0; k < 16; k++)
                sum = Vector256.FusedMultiplyAdd(Vector256.Create(a[m * 16 + k]), Vector256.Load(columns + k * 8), sum);
            sum.Store(d + m * 8);
        }
    }

    public static float Dot(float* x, float* y, float accumulator)
    {
        int top = accumulator == 0 ? int.MinValue : Exponent(accumulator);
        bool finite = float.IsFinite(accumulator);
        for (int k = 0; k < 16; k++)
        {
            finite &= float.IsFinite(x[k]) && float.IsFinite(y[k]);
            if (x[k] != 0 && y[k] != 0) top = Math.Max(top, Exponent(x[k]) + Exponent(y[k]));
        }
        if (!finite)
        {
            double s = accumulator;
            for (int k = 0; k < 16; k++) s += (double)x[k] * y[k];
            return BitConverter.UInt32BitsToSingle(CardNaN.Of((float)s));
        }
        if (top == int.MinValue) return 0;
        double scale = Math.ScaleB(1, Fraction - top);
        long sum = (long)(accumulator * scale);
        for (int k = 0; k < 16; k++) sum += (long)((double)x[k] * y[k] * scale);
        ulong magnitude = (ulong)Math.Abs(sum);
        int bits = 64 - BitOperations.LeadingZeroCount(magnitude);
        if (bits > 24) magnitude = magnitude >> bits - 24 << bits - 24;
        double value = Math.ScaleB((double)magnitude, top - Fraction);
        return (float)(sum < 0 ? -value : value);
    }

    private static int Exponent(float x) => Math.Max((int)(BitConverter.SingleToUInt32Bits(x) >> 23 & 255), 1) - 127;
}
