using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Sums of a 16 × 8 × 16 product: sums[16][8] += left[16][16] · right[16][8].
/// </summary>
[SkipLocalsInit]
internal static unsafe class TensorCore
{
    /// <summary>Rows, columns and terms of a product.</summary>
    public const int M = 16, N = 8, K = 16;

    /// <summary>Bits after the point to which a Hopper card cuts its summands, relative to the largest exponent.</summary>
    private const int Fraction = 25;

    /// <summary>The exponent bits of a float32, and those of 1.</summary>
    private const int ExponentBits = 0x7f800000, One = 127 << 23;

    /// <summary>
    /// To the bit as an H200 was found to do it: the 16 exact products and the accumulator are aligned to the largest exponent among them
    /// (of a product the sum of its factors' exponents), each cut toward zero to 25 fraction bits, added as integers, and the sum cut
    /// toward zero to 24 bits. Unproven on a card: denormal factors, and fewer terms at a time.
    /// </summary>
    /// <param name="left">The left factors.</param>
    /// <param name="powers">Their powers of two from <see cref="TryPowers"/>; null where it refused.</param>
    /// <param name="right">The right factors.</param>
    /// <param name="sums">Added to.</param>
    /// <param name="terms">Products that are added at once: 16 or 8, as <see cref="VirtualDeviceOptions.ProductTerms"/> says.</param>
    public static void Exact(float* left, float* powers, float* right, float* sums, int terms)
    {
        float* rightPowers = stackalloc float[K * N];
        bool areUsual = powers != null && TryPowers(right, rightPowers, K * N);
        for (int first = 0; first < K; first += terms)
            for (int m = 0; m < M; m += 4)
            {
                float* rows = left + m * K + first, columns = right + first * N, to = sums + m * N;
                if (areUsual && TryFourRows(rows, powers + m * K + first, columns, rightPowers + first * N, to, terms)) continue;
                for (int n = 0; n < 4 * N; n++) to[n] = Dot(rows + n / N * K, columns + n % N, to[n], terms);
            }
    }

    /// <summary>
    /// Of each factor the power of two in it, 0 of 0. False where one is not finite or beyond 2^±60: products of others, and what they are
    /// scaled to, are normal numbers.
    /// </summary>
    public static bool TryPowers(float* factors, float* powers, int count)
    {
        Vector256<int> unusual = Vector256<int>.Zero;
        for (int n = 0; n < count; n += 8)
        {
            Vector256<int> bits = Vector256.Load((int*)factors + n), power = bits & Vector256.Create(ExponentBits);
            power.Store((int*)powers + n);
            Vector256<int> isUsual = Vector256.LessThan(Vector256.Abs(power - Vector256.Create(One)), Vector256.Create(61 << 23));
            unusual |= ~(isUsual | Vector256.Equals(bits << 1, Vector256<int>.Zero));
        }
        return unusual == Vector256<int>.Zero;
    }

    /// <summary>
    /// Eight columns of four rows at once, in float32 and integers: a product has at most 22 bits, and sixteen of them aligned as here stay
    /// below 2³¹. False, and nothing done, where a sum is too large, too small or not finite.
    /// </summary>
    private static bool TryFourRows(float* left, float* powers, float* right, float* rightPowers, float* sums, int terms)
    {
        Vector256<int> top0 = Power(sums), top1 = Power(sums + N), top2 = Power(sums + 2 * N), top3 = Power(sums + 3 * N);
        for (int k = 0; k < terms; k++)
        {
            Vector256<float> power = Vector256.Load(rightPowers + k * N);
            top0 = Vector256.Max(top0, (Vector256.Create(powers[k]) * power).AsInt32());
            top1 = Vector256.Max(top1, (Vector256.Create(powers[K + k]) * power).AsInt32());
            top2 = Vector256.Max(top2, (Vector256.Create(powers[2 * K + k]) * power).AsInt32());
            top3 = Vector256.Max(top3, (Vector256.Create(powers[3 * K + k]) * power).AsInt32());
        }
        top0 = OneOfZeros(top0, sums);
        top1 = OneOfZeros(top1, sums + N);
        top2 = OneOfZeros(top2, sums + 2 * N);
        top3 = OneOfZeros(top3, sums + 3 * N);
        Vector256<int> least = Vector256.Min(Vector256.Min(top0, top1), Vector256.Min(top2, top3)),
            most = Vector256.Max(Vector256.Max(top0, top1), Vector256.Max(top2, top3));
        // 2^(25 − top), results as normal numbers, and the accumulator's finiteness.
        if (Vector256.LessThanAny(least, Vector256.Create(One - (100 << 23)))
            || Vector256.GreaterThanAny(most, Vector256.Create(One + (127 << 23)))) return false;
        Vector256<float> scale0 = Scale(top0), scale1 = Scale(top1), scale2 = Scale(top2), scale3 = Scale(top3);
        Vector256<int> sum0 = Vector256<int>.Zero, sum1 = sum0, sum2 = sum0, sum3 = sum0;
        for (int k = 0; k < terms; k++)
        {
            Vector256<float> factor = Vector256.Load(right + k * N);
            sum0 += Vector256.ConvertToInt32Native(Vector256.Create(left[k]) * factor * scale0);
            sum1 += Vector256.ConvertToInt32Native(Vector256.Create(left[K + k]) * factor * scale1);
            sum2 += Vector256.ConvertToInt32Native(Vector256.Create(left[2 * K + k]) * factor * scale2);
            sum3 += Vector256.ConvertToInt32Native(Vector256.Create(left[3 * K + k]) * factor * scale3);
        }
        Vector256<int> large = Vector256.Max(Vector256.Max(Vector256.Abs(sum0), Vector256.Abs(sum1)),
            Vector256.Max(Vector256.Abs(sum2), Vector256.Abs(sum3)));
        // The accumulator brings less than 2²⁶.
        if (Vector256.GreaterThanOrEqualAny(large, Vector256.Create(1 << 30))) return false;
        Add(sum0, scale0, top0, sums);
        Add(sum1, scale1, top1, sums + N);
        Add(sum2, scale2, top2, sums + 2 * N);
        Add(sum3, scale3, top3, sums + 3 * N);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Power(float* sums) => Vector256.Load((int*)sums) & Vector256.Create(ExponentBits);

    /// <summary>The largest power of two, where all is zero any: 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> OneOfZeros(Vector256<int> top, float* sums)
    {
        Vector256<int> isZero = Vector256.Equals(top | Vector256.Load((int*)sums) << 1, Vector256<int>.Zero);
        return top | isZero & Vector256.Create(One);
    }

    /// <summary>2^(25 − top).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Scale(Vector256<int> top) => (Vector256.Create((2 * 127 + Fraction) << 23) - top).AsSingle();

    /// <summary>(products + sums · 2^(25 − top)) · 2^(top − 25), cut toward zero to 24 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(Vector256<int> products, Vector256<float> scale, Vector256<int> top, float* sums)
    {
        Vector256<int> sum = products + Vector256.ConvertToInt32Native(Vector256.Load(sums) * scale), magnitude = Vector256.Abs(sum);
        Vector256<float> nearest = Vector256.ConvertToSingle(magnitude);
        // Where it was rounded up, the number before is the one toward zero: all ones are −1.
        Vector256<int> isAbove = Vector256.GreaterThan(Vector256.ConvertToInt32Native(nearest), magnitude);
        Vector256<float> cut = (nearest.AsInt32() + isAbove).AsSingle() * (top - Vector256.Create(Fraction << 23)).AsSingle();
        (cut.AsInt32() | sum & Vector256.Create(int.MinValue)).Store((int*)sums);
    }

    /// <summary>Fused products in order of k, float32.</summary>
    public static void Fast(float* left, float* right, float* sums)
    {
        for (int m = 0; m < M; m++)
        {
            Vector256<float> sum = Vector256.Load(sums + m * N);
            for (int k = 0; k < K; k++)
                sum = Vector256.FusedMultiplyAdd(Vector256.Create(left[m * K + k]), Vector256.Load(right + k * N), sum);
            sum.Store(sums + m * N);
        }
    }

    /// <summary>One sum of <see cref="Exact"/>: x[k] by y[8·k].</summary>
    public static float Dot(float* x, float* y, float accumulator, int terms)
    {
        int top = accumulator == 0 ? int.MinValue : Exponent(accumulator);
        bool finite = float.IsFinite(accumulator);
        for (int k = 0; k < terms; k++)
        {
            finite &= float.IsFinite(x[k]) && float.IsFinite(y[k * N]);
            if (x[k] != 0 && y[k * N] != 0) top = Math.Max(top, Exponent(x[k]) + Exponent(y[k * N]));
        }
        if (!finite)
        {
            double s = accumulator;
            for (int k = 0; k < terms; k++) s += (double)x[k] * y[k * N];
            return BitConverter.UInt32BitsToSingle(CardNaN.Of((float)s));
        }
        if (top == int.MinValue) return 0;
        double scale = Math.ScaleB(1, Fraction - top);
        long sum = (long)(accumulator * scale);
        for (int k = 0; k < terms; k++) sum += (long)((double)x[k] * y[k * N] * scale);
        ulong magnitude = (ulong)Math.Abs(sum);
        int bits = 64 - BitOperations.LeadingZeroCount(magnitude);
        if (bits > 24) magnitude = magnitude >> bits - 24 << bits - 24;
        double value = Math.ScaleB((double)magnitude, top - Fraction);
        return (float)(sum < 0 ? -value : value);
    }

    private static int Exponent(float x) => Math.Max((int)(BitConverter.SingleToUInt32Bits(x) >> 23 & 255), 1) - 127;
}
