using System.Runtime.CompilerServices;
using Sa2VA.Cpu;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>The two loops that saturate a core: one its multiply-add units, the other its path to memory.</summary>
internal static unsafe class CeilingLoops
{
    /// <summary>
    /// Independent chains: two units times a latency of at most five cycles need ten; twelve and two operands fit 16 registers.
    /// </summary>
    public const int Chains = 12;

    /// <summary>Multiply-adds of <see cref="Chains"/> vectors, <paramref name="steps"/> times, without touching memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float MultiplyAdds<T>(int steps) where T : unmanaged, ISimd<T>
    {
        // x ← 0.5·x + 0.25 stays between 0.25 and 1: no subnormals, no infinities, nothing that a compiler can foresee.
        T a = T.Create(0.5f), b = T.Create(0.25f);
        T c0 = T.Create(0.30f), c1 = T.Create(0.31f), c2 = T.Create(0.32f), c3 = T.Create(0.33f), c4 = T.Create(0.34f),
            c5 = T.Create(0.35f);
        T c6 = T.Create(0.36f), c7 = T.Create(0.37f), c8 = T.Create(0.38f), c9 = T.Create(0.39f), c10 = T.Create(0.40f),
            c11 = T.Create(0.41f);
        for (int i = 0; i < steps; i++)
        {
            c0 = T.MultiplyAdd(c0, a, b);
            c1 = T.MultiplyAdd(c1, a, b);
            c2 = T.MultiplyAdd(c2, a, b);
            c3 = T.MultiplyAdd(c3, a, b);
            c4 = T.MultiplyAdd(c4, a, b);
            c5 = T.MultiplyAdd(c5, a, b);
            c6 = T.MultiplyAdd(c6, a, b);
            c7 = T.MultiplyAdd(c7, a, b);
            c8 = T.MultiplyAdd(c8, a, b);
            c9 = T.MultiplyAdd(c9, a, b);
            c10 = T.MultiplyAdd(c10, a, b);
            c11 = T.MultiplyAdd(c11, a, b);
        }
        return First(c0 + c1 + c2 + c3 + c4 + c5 + (c6 + c7 + c8 + c9 + c10 + c11));
    }

    /// <summary>Sum over memory, eight vectors at a time; a remainder below eight vectors is left out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum<T>(float* from, long count) where T : unmanaged, ISimd<T>
    {
        T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero, s4 = T.Zero, s5 = T.Zero, s6 = T.Zero, s7 = T.Zero;
        long step = 8 * T.Count;
        for (float* end = from + count / step * step; from < end; from += step)
        {
            s0 += T.Load(from);
            s1 += T.Load(from + T.Count);
            s2 += T.Load(from + 2 * T.Count);
            s3 += T.Load(from + 3 * T.Count);
            s4 += T.Load(from + 4 * T.Count);
            s5 += T.Load(from + 5 * T.Count);
            s6 += T.Load(from + 6 * T.Count);
            s7 += T.Load(from + 7 * T.Count);
        }
        return First(s0 + s1 + s2 + s3 + (s4 + s5 + s6 + s7));
    }

    private static float First<T>(T value) where T : unmanaged, ISimd<T>
    {
        float* lanes = stackalloc float[16];
        T.Store(value, lanes);
        return lanes[0];
    }
}
