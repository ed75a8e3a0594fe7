using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.Cpu;

/// <summary>
/// A sum over 16 lanes whatever the vector width: element i goes to lane i mod 16, and the lanes are added pairwise at the end. So a
/// reduction has the same bits at every width. The lanes are held in the first one, two or four of four local vectors: only locals stay in
/// registers.
/// </summary>
internal static unsafe class LaneSum<T> where T : unmanaged, ISimd<T>
{
    /// <summary>Elements per step.</summary>
    public const int Width = 16;

    /// <summary>The lanes added pairwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Total(T s0, T s1, T s2, T s3)
    {
        Vector128<float> two = Halves(T.Fold16(s0, s1, s2, s3));
        return two[0] + two[1];
    }

    /// <summary>The same with the elements behind the last whole step added to their lanes.</summary>
    public static float Total(T s0, T s1, T s2, T s3, ReadOnlySpan<float> rest)
    {
        float* lanes = stackalloc float[Width];
        T.Store(s0, lanes);
        if (T.Count <= 8) T.Store(s1, lanes + T.Count);
        if (T.Count <= 4) T.Store(s2, lanes + 2 * T.Count);
        if (T.Count <= 4) T.Store(s3, lanes + 3 * T.Count);
        for (int i = 0; i < rest.Length; i++) lanes[i] += rest[i];
        return Total(
            T.Load(lanes),
            T.Count <= 8 ? T.Load(lanes + T.Count) : T.Zero,
            T.Count <= 4 ? T.Load(lanes + 2 * T.Count) : T.Zero,
            T.Count <= 4 ? T.Load(lanes + 3 * T.Count) : T.Zero);
    }

    /// <summary>Four sums at once, of the four lanes that <see cref="ISimd{T}.Fold16"/> leaves of each, added in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Totals(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        Vector128<float> firstTwo = Vector128.Create(~0, ~0, 0, 0).AsSingle(), everySecond = Vector128.Create(~0, 0, ~0, 0).AsSingle();
        Vector128<float> ac = Vector128.ConditionalSelect(firstTwo, Halves(a), Halves(c));
        Vector128<float> bd = Vector128.ConditionalSelect(firstTwo, Halves(b), Halves(d));
        return Vector128.ConditionalSelect(everySecond, Neighbours(ac), Neighbours(bd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Halves(Vector128<float> four) => four + Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Neighbours(Vector128<float> two) => two + Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2));
}

/// <summary>Reductions of a row.</summary>
internal static unsafe class RowReduction
{
    public static float Sum<T>(float* x, int count) where T : unmanaged, ISimd<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width)
        {
            s0 += T.Load(x + i);
            if (T.Count <= 8) s1 += T.Load(x + i + T.Count);
            if (T.Count <= 4) s2 += T.Load(x + i + 2 * T.Count);
            if (T.Count <= 4) s3 += T.Load(x + i + 3 * T.Count);
        }
        return i == count ? LaneSum<T>.Total(s0, s1, s2, s3) : LaneSum<T>.Total(s0, s1, s2, s3, new ReadOnlySpan<float>(x + i, count - i));
    }

    /// <summary>Σ (x − shift)².</summary>
    public static float SumOfSquares<T>(float* x, int count, float shift) where T : unmanaged, ISimd<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s = T.Create(shift);
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width)
        {
            T d = T.Load(x + i) - s;
            s0 = T.MultiplyAdd(d, d, s0);
            if (T.Count > 8) continue;
            d = T.Load(x + i + T.Count) - s;
            s1 = T.MultiplyAdd(d, d, s1);
            if (T.Count > 4) continue;
            d = T.Load(x + i + 2 * T.Count) - s;
            s2 = T.MultiplyAdd(d, d, s2);
            d = T.Load(x + i + 3 * T.Count) - s;
            s3 = T.MultiplyAdd(d, d, s3);
        }
        if (i == count) return LaneSum<T>.Total(s0, s1, s2, s3);
        Span<float> rest = stackalloc float[LaneSum<T>.Width];
        for (int j = i; j < count; j++) rest[j - i] = (x[j] - shift) * (x[j] - shift);
        return LaneSum<T>.Total(s0, s1, s2, s3, rest[..(count - i)]);
    }

    /// <summary>
    /// 1/√(mean square + ε) of a row. NaN when the squares overflowed: 1/√∞ = 0 would make zeros of such a row, which look sound.
    /// </summary>
    public static float InverseRoot(float meanSquare, float epsilon) =>
        float.IsFinite(meanSquare) ? 1 / MathF.Sqrt(meanSquare + epsilon) : float.NaN;

    /// <summary>Σ x·y.</summary>
    public static float Dot<T>(float* x, float* y, int count) where T : unmanaged, ISimd<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width)
        {
            s0 = T.MultiplyAdd(T.Load(x + i), T.Load(y + i), s0);
            if (T.Count <= 8) s1 = T.MultiplyAdd(T.Load(x + i + T.Count), T.Load(y + i + T.Count), s1);
            if (T.Count <= 4) s2 = T.MultiplyAdd(T.Load(x + i + 2 * T.Count), T.Load(y + i + 2 * T.Count), s2);
            if (T.Count <= 4) s3 = T.MultiplyAdd(T.Load(x + i + 3 * T.Count), T.Load(y + i + 3 * T.Count), s3);
        }
        if (i == count) return LaneSum<T>.Total(s0, s1, s2, s3);
        Span<float> rest = stackalloc float[LaneSum<T>.Width];
        for (int j = i; j < count; j++) rest[j - i] = x[j] * y[j];
        return LaneSum<T>.Total(s0, s1, s2, s3, rest[..(count - i)]);
    }

    public static float Max<T>(float* x, int count) where T : unmanaged, ISimd<T>
    {
        float max = float.NegativeInfinity;
        int i = 0;
        if (count >= T.Count)
        {
            T m = T.Load(x);
            for (i = T.Count; i <= count - T.Count; i += T.Count) m = T.Max(m, T.Load(x + i));
            float* lanes = stackalloc float[16];
            T.Store(m, lanes);
            for (int j = 0; j < T.Count; j++) max = MathF.Max(max, lanes[j]);
        }
        for (; i < count; i++) max = MathF.Max(max, x[i]);
        return max;
    }
}
