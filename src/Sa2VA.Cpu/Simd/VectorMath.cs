using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Functions of vectors, written once for every width. Coefficients: Cephes single-precision library (Moshier).</summary>
internal static unsafe class VectorMath
{
    /// <summary>
    /// The first <paramref name="count"/> lanes from memory, zeros behind them: the tail of a row runs the same code as its body.
    /// </summary>
    public static T LoadPartial<T>(float* from, int count) where T : unmanaged, ISimd<T>
    {
        float* lanes = stackalloc float[16];
        for (int i = 0; i < count; i++) lanes[i] = from[i];
        for (int i = count; i < T.Count; i++) lanes[i] = 0;
        return T.Load(lanes);
    }

    /// <summary>Stores the first <paramref name="count"/> lanes.</summary>
    public static void StorePartial<T>(T value, float* to, int count) where T : unmanaged, ISimd<T>
    {
        float* lanes = stackalloc float[16];
        T.Store(value, lanes);
        for (int i = 0; i < count; i++) to[i] = lanes[i];
    }

    /// <summary>e^x to about one unit in the last place; 0 below −87.3 (no subnormals), infinity above 88.7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Exp<T>(T x) where T : unmanaged, ISimd<T>
    {
        T clamped = T.Min(T.Max(x, T.Create(-87.33654f)), T.Create(88.72283f));
        T n = T.Round(clamped * T.Create(1.442695041f));
        T r = T.MultiplyAdd(n, T.Create(-0.693359375f), clamped);
        r = T.MultiplyAdd(n, T.Create(2.12194440e-4f), r);
        T p = T.Create(1.9875691500e-4f);
        p = T.MultiplyAdd(p, r, T.Create(1.3981999507e-3f));
        p = T.MultiplyAdd(p, r, T.Create(8.3334519073e-3f));
        p = T.MultiplyAdd(p, r, T.Create(4.1665795894e-2f));
        p = T.MultiplyAdd(p, r, T.Create(1.6666665459e-1f));
        p = T.MultiplyAdd(p, r, T.Create(5.0000001201e-1f));
        T y = T.MultiplyAdd(p, r * r, r + T.Create(1));
        // n reaches 128, where 2^n itself has no exponent left: half of it goes in twice.
        T half = T.Round(n * T.Create(0.5f));
        y = y * T.PowerOfTwo(half) * T.PowerOfTwo(n - half);
        y = T.SelectLess(x, T.Create(-87.33654f), T.Zero, y);
        return T.SelectLess(T.Create(88.72283f), x, T.Create(float.PositiveInfinity), y);
    }

    /// <summary>1/(1+e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sigmoid<T>(T x) where T : unmanaged, ISimd<T> => T.Create(1) / (T.Create(1) + Exp(T.Zero - x));

    /// <summary>The error function, absolute error below 1e-7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Erf<T>(T x) where T : unmanaged, ISimd<T>
    {
        T a = T.Abs(x);
        T square = x * x;
        T p = T.Create(7.853861353153693e-5f);
        p = T.MultiplyAdd(p, square, T.Create(-8.010193625184903e-4f));
        p = T.MultiplyAdd(p, square, T.Create(5.188327685732524e-3f));
        p = T.MultiplyAdd(p, square, T.Create(-2.685381193529856e-2f));
        p = T.MultiplyAdd(p, square, T.Create(1.128358514861418e-1f));
        p = T.MultiplyAdd(p, square, T.Create(-3.761262582423300e-1f));
        p = T.MultiplyAdd(p, square, T.Create(1.128379165726710f));
        T small = x * p;

        // Beyond 1: 1 − e^(−x²)/|x| · P(1/x²), with one polynomial up to 2 and another above.
        T inverse = T.Create(1) / T.Max(a, T.Create(1));
        T t = inverse * inverse;
        T near = T.Create(2.326819970068386e-2f);
        near = T.MultiplyAdd(near, t, T.Create(-1.387039388740657e-1f));
        near = T.MultiplyAdd(near, t, T.Create(3.687424674597105e-1f));
        near = T.MultiplyAdd(near, t, T.Create(-5.824733027278666e-1f));
        near = T.MultiplyAdd(near, t, T.Create(6.210004621745983e-1f));
        near = T.MultiplyAdd(near, t, T.Create(-4.944515323274145e-1f));
        near = T.MultiplyAdd(near, t, T.Create(3.404879937665872e-1f));
        near = T.MultiplyAdd(near, t, T.Create(-2.741127028184656e-1f));
        near = T.MultiplyAdd(near, t, T.Create(5.638259427386472e-1f));
        T far = T.Create(-1.047766399936249e1f);
        far = T.MultiplyAdd(far, t, T.Create(1.297719955372516e1f));
        far = T.MultiplyAdd(far, t, T.Create(-7.495518717768503f));
        far = T.MultiplyAdd(far, t, T.Create(2.921019019210786f));
        far = T.MultiplyAdd(far, t, T.Create(-1.015265279202700f));
        far = T.MultiplyAdd(far, t, T.Create(4.218463358204948e-1f));
        far = T.MultiplyAdd(far, t, T.Create(-2.820767439740514e-1f));
        far = T.MultiplyAdd(far, t, T.Create(5.641895067754075e-1f));
        T tail = Exp(T.Zero - square) * inverse * T.SelectLess(a, T.Create(2), near, far);
        T large = T.CopySign(T.Create(1) - tail, x);
        return T.SelectLess(a, T.Create(1), small, large);
    }

    /// <summary>tanh to about 2e-7 relative.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Tanh<T>(T x) where T : unmanaged, ISimd<T>
    {
        T a = T.Abs(x);
        T square = x * x;
        T p = T.Create(-5.70498872745e-3f);
        p = T.MultiplyAdd(p, square, T.Create(2.06390887954e-2f));
        p = T.MultiplyAdd(p, square, T.Create(-5.37397155531e-2f));
        p = T.MultiplyAdd(p, square, T.Create(1.33314422036e-1f));
        p = T.MultiplyAdd(p, square, T.Create(-3.33332819422e-1f));
        T small = T.MultiplyAdd(p * square, x, x);
        T large = T.CopySign(T.Create(1) - T.Create(2) / (Exp(a + a) + T.Create(1)), x);
        return T.SelectLess(a, T.Create(0.625f), small, large);
    }

    /// <summary>The activation functions of Core.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Activate<T>(T x, Activation activation) where T : unmanaged, ISimd<T> => activation switch
    {
        // x·0 adds nothing to a finite result, and keeps −∞ from passing for 0.
        Activation.Relu => T.MultiplyAdd(x, T.Zero, T.Max(x, T.Zero)),
        Activation.Gelu => T.Create(0.5f) * x * (T.Create(1) + Erf(x * T.Create(0.70710678118654752f))),
        Activation.GeluTanh => T.Create(0.5f) * x
            * (T.Create(1) + Tanh(T.Create(0.7978845608028654f) * T.MultiplyAdd(T.Create(0.044715f) * x * x, x, x))),
        Activation.Silu => x / (T.Create(1) + Exp(T.Zero - x)),
        Activation.Sigmoid => Sigmoid(x),
        _ => x,
    };
}
