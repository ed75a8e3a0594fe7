using System.Runtime.Intrinsics;

namespace Sa2VA.Cpu;

/// <summary>
/// A vector of floats whose width is a type parameter: kernels are written once over it and the JIT makes one version per width. Lanes
/// never meet in these operations, so a loop's result does not depend on the width; in <see cref="Fold16"/> they do, in one fixed order.
/// </summary>
internal unsafe interface ISimd<T> where T : unmanaged, ISimd<T>
{
    /// <summary>Lanes.</summary>
    static abstract int Count { get; }

    static abstract T Zero { get; }

    static abstract T Create(float value);

    static abstract T Load(float* from);

    /// <summary>Of <see cref="Count"/> pairs of bfloat16 values the first ones, widened.</summary>
    static abstract T LowBFloat16(ushort* pairs);

    /// <summary>Of <see cref="Count"/> pairs of bfloat16 values the second ones, widened.</summary>
    static abstract T HighBFloat16(ushort* pairs);

    /// <summary>
    /// Of <see cref="Count"/> pairs of binary16 values the first ones, widened, subnormals included; infinities and NaN become large finite
    /// values' patterns.
    /// </summary>
    static abstract T LowHalf(ushort* pairs);

    /// <summary>The second ones; else as <see cref="LowHalf"/>.</summary>
    static abstract T HighHalf(ushort* pairs);

    /// <summary><see cref="Count"/> signed bytes.</summary>
    static abstract T Bytes(sbyte* from);

    /// <summary>The lower four bits of <see cref="Count"/> bytes, signed.</summary>
    static abstract T LowFourBits(sbyte* from);

    /// <summary>The upper four bits of <see cref="Count"/> bytes, signed.</summary>
    static abstract T HighFourBits(sbyte* from);

    static abstract void Store(T value, float* to);

    /// <summary>a·b + c, rounded once.</summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    static abstract T operator +(T a, T b);
    static abstract T operator -(T a, T b);
    static abstract T operator *(T a, T b);
    static abstract T operator /(T a, T b);

    static abstract T Max(T a, T b);
    static abstract T Min(T a, T b);
    static abstract T Abs(T a);
    static abstract T Sqrt(T a);

    /// <summary>Nearest integer, ties to even.</summary>
    static abstract T Round(T a);

    /// <summary>2^n for integral n in −126…127.</summary>
    static abstract T PowerOfTwo(T n);

    /// <summary>a &lt; b ? x : y, lane by lane; false where either is NaN.</summary>
    static abstract T SelectLess(T a, T b, T x, T y);

    /// <summary>|a| with the sign of b.</summary>
    static abstract T CopySign(T a, T b);

    /// <summary>
    /// Folds 16 lanes, held in the first one, two or four vectors by width, to four: lane i + lane i + 8, then + lane i + 4 of that.
    /// </summary>
    static abstract Vector128<float> Fold16(T s0, T s1, T s2, T s3);
}
