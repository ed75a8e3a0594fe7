using System.Numerics;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Sums of a 16 × 8 × 16 product: d[16][8] += a[16][16] · b[8][16]ᵀ.</summary>
internal static unsafe class TensorCore
{
    /// <summary>Bits after the point to which a Hopper card cuts its summands, relative to the largest exponent.</summary>
    private const int Fraction = 25;

    /// <summary>
    /// To the bit as an H200 was found to do it: the 16 exact products and the accumulator are aligned to the largest exponent among them
    /// (of a
    /// product the sum of its factors' exponents), each cut toward zero to 25 fraction bits, added as integers, and the sum cut toward zero
    /// to
    /// 24 bits. Unproven on a card: denormal factors, and other generations (an A100 sums eight at a time).
    /// </summary>
    public static void Exact(float* a, float* b, float* d)
    {
        for (int m = 0; m < 16; m++)
            for (int n = 0; n < 8; n++) d[m * 8 + n] = Dot(a + m * 16, b + n * 16, d[m * 8 + n]);
    }

    /// <summary>Fused products in order of k, float32.</summary>
    public static void Fast(float* a, float* b, float* d)
    {
        float* columns = stackalloc float[16 * 8];
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 8; n++) columns[k * 8 + n] = b[n * 16 + k];
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
