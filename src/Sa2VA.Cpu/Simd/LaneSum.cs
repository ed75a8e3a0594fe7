using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.Cpu;

/// <summary>
/// A sum over 16 lanes whatever the vector width: element i goes to lane i mod 16, and the lanes are added pairwise at the end. So a
/// reduction has the same bits at every width.
/// </summary>
internal unsafe struct LaneSum<T> where T : unmanaged, ISimd<T>
{
    /// <summary>Elements per step.</summary>
    public const int Width = 16;

    private T _s0, _s1, _s2, _s3;

    public LaneSum()
    {
        _s0 = _s1 = _s2 = _s3 = T.Zero;
    }

    /// <summary>Adds x[i] for 16 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(float* x)
    {
        _s0 += T.Load(x);
        if (T.Count <= 8) _s1 += T.Load(x + T.Count);
        if (T.Count <= 4) _s2 += T.Load(x + 2 * T.Count);
        if (T.Count <= 4) _s3 += T.Load(x + 3 * T.Count);
    }

    /// <summary>Adds (x[i] − shift)² for 16 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddSquares(float* x, T shift)
    {
        Square(x, shift, ref _s0);
        if (T.Count <= 8) Square(x + T.Count, shift, ref _s1);
        if (T.Count <= 4) Square(x + 2 * T.Count, shift, ref _s2);
        if (T.Count <= 4) Square(x + 3 * T.Count, shift, ref _s3);
    }

    /// <summary>Adds x[i]·y[i] for 16 elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProducts(float* x, float* y)
    {
        _s0 = T.MultiplyAdd(T.Load(x), T.Load(y), _s0);
        if (T.Count <= 8) _s1 = T.MultiplyAdd(T.Load(x + T.Count), T.Load(y + T.Count), _s1);
        if (T.Count <= 4) _s2 = T.MultiplyAdd(T.Load(x + 2 * T.Count), T.Load(y + 2 * T.Count), _s2);
        if (T.Count <= 4) _s3 = T.MultiplyAdd(T.Load(x + 3 * T.Count), T.Load(y + 3 * T.Count), _s3);
    }

    /// <summary>The lanes added pairwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float Total() => Total(_s0, _s1, _s2, _s3);

    /// <summary>16 lanes, held in the first one, two or four vectors by width, added pairwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Total(T s0, T s1, T s2, T s3)
    {
        Vector128<float> four = T.Fold16(s0, s1, s2, s3);
        Vector128<float> two = four + Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return two[0] + two[1];
    }

    /// <summary>With the elements behind the last whole step added to their lanes.</summary>
    public LaneSum<T> With(ReadOnlySpan<float> rest)
    {
        float* lanes = stackalloc float[Width];
        T.Store(_s0, lanes);
        if (T.Count <= 8) T.Store(_s1, lanes + T.Count);
        if (T.Count <= 4) T.Store(_s2, lanes + 2 * T.Count);
        if (T.Count <= 4) T.Store(_s3, lanes + 3 * T.Count);
        for (int i = 0; i < rest.Length; i++) lanes[i] += rest[i];
        var sum = new LaneSum<T>();
        sum.Add(lanes);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Square(float* x, T shift, ref T sum)
    {
        T d = T.Load(x) - shift;
        sum = T.MultiplyAdd(d, d, sum);
    }
}

/// <summary>Reductions of a row.</summary>
internal static unsafe class RowReduction
{
    public static float Sum<T>(float* x, int count) where T : unmanaged, ISimd<T>
    {
        var sum = new LaneSum<T>();
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width) sum.Add(x + i);
        if (i < count) sum = sum.With(new ReadOnlySpan<float>(x + i, count - i));
        return sum.Total();
    }

    /// <summary>Σ (x − shift)².</summary>
    public static float SumOfSquares<T>(float* x, int count, float shift) where T : unmanaged, ISimd<T>
    {
        var sum = new LaneSum<T>();
        T s = T.Create(shift);
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width) sum.AddSquares(x + i, s);
        if (i == count) return sum.Total();
        Span<float> rest = stackalloc float[LaneSum<T>.Width];
        for (int j = i; j < count; j++) rest[j - i] = (x[j] - shift) * (x[j] - shift);
        return sum.With(rest[..(count - i)]).Total();
    }

    /// <summary>
    /// 1/√(mean square + ε) of a row. NaN when the squares overflowed: 1/√∞ = 0 would make zeros of such a row, which look sound.
    /// </summary>
    public static float InverseRoot(float meanSquare, float epsilon) =>
        float.IsFinite(meanSquare) ? 1 / MathF.Sqrt(meanSquare + epsilon) : float.NaN;

    /// <summary>Σ x·y.</summary>
    public static float Dot<T>(float* x, float* y, int count) where T : unmanaged, ISimd<T>
    {
        var sum = new LaneSum<T>();
        int i = 0;
        for (; i <= count - LaneSum<T>.Width; i += LaneSum<T>.Width) sum.AddProducts(x + i, y + i);
        if (i == count) return sum.Total();
        Span<float> rest = stackalloc float[LaneSum<T>.Width];
        for (int j = i; j < count; j++) rest[j - i] = x[j] * y[j];
        return sum.With(rest[..(count - i)]).Total();
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
