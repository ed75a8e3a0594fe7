using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sa2VA.VirtualGpu.Execution;

// More operators that run on whole rows. Each gives lane by lane what the function of its name in IntegerFunctions, FloatFunctions or
// Conversions gives.

/// <summary>Shifts; all lanes mostly shift by the same number.</summary>
internal interface IShift
{
    static abstract Vector256<uint> Do(Vector256<uint> a, int n);

    static abstract Vector256<ulong> Do(Vector256<ulong> a, int n);

    static abstract uint One(uint a, uint n);

    static abstract ulong One(ulong a, uint n);
}

internal readonly struct Left : IShift
{
    public static Vector256<uint> Do(Vector256<uint> a, int n) => n >= 32 ? Vector256<uint>.Zero : a << n;

    public static Vector256<ulong> Do(Vector256<ulong> a, int n) => n >= 64 ? Vector256<ulong>.Zero : a << n;

    public static uint One(uint a, uint n) => n >= 32 ? 0 : a << (int)n;

    public static ulong One(ulong a, uint n) => n >= 64 ? 0 : a << (int)n;
}

internal readonly struct RightUnsigned : IShift
{
    public static Vector256<uint> Do(Vector256<uint> a, int n) => n >= 32 ? Vector256<uint>.Zero : a >>> n;

    public static Vector256<ulong> Do(Vector256<ulong> a, int n) => n >= 64 ? Vector256<ulong>.Zero : a >>> n;

    public static uint One(uint a, uint n) => n >= 32 ? 0 : a >> (int)n;

    public static ulong One(ulong a, uint n) => n >= 64 ? 0 : a >> (int)n;
}

internal readonly struct RightSigned : IShift
{
    public static Vector256<uint> Do(Vector256<uint> a, int n) => (a.AsInt32() >> Math.Min(n, 31)).AsUInt32();

    public static Vector256<ulong> Do(Vector256<ulong> a, int n) => (a.AsInt64() >> Math.Min(n, 63)).AsUInt64();

    public static uint One(uint a, uint n) => (uint)((int)a >> (int)Math.Min(n, 31));

    public static ulong One(ulong a, uint n) => (ulong)((long)a >> (int)Math.Min(n, 63));
}

internal readonly struct DivideFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(a.AsSingle() / b.AsSingle());
}

internal readonly struct RootFloat : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => CardNaN.Of(Vector256.Sqrt(a.AsSingle()));
}

internal readonly struct ReciprocalFloat : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => CardNaN.Of(Vector256.Create(1f) / a.AsSingle());
}

internal readonly struct FlushedReciprocal : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) =>
        CardNaN.Of(Denormals.Flush((Vector256.Create(1f) / Denormals.Flush(a).AsSingle()).AsUInt32()).AsSingle());
}

/// <summary>What is flushed before it makes no difference: 2 to the power of a denormal is 1.</summary>
internal readonly struct FlushedPowerOfTwo : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => CardNaN.Of(Denormals.Flush(PowerOfTwo.Of(a.AsSingle()).AsUInt32()).AsSingle());
}

internal static class Denormals
{
    /// <summary>Denormals to zero of the same sign.</summary>
    public static Vector256<uint> Flush(Vector256<uint> x)
    {
        Vector256<uint> isTiny = Vector256.Equals(x & Vector256.Create(0x7f800000u), Vector256<uint>.Zero);
        return Vector256.ConditionalSelect(isTiny, x & Vector256.Create(0x80000000u), x);
    }
}

internal readonly struct NearestWhole : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => CardNaN.Of(Vector256.Round(a.AsSingle(), MidpointRounding.ToEven));
}

internal readonly struct SignedToFloat : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => Vector256.ConvertToSingle(a.AsInt32()).AsUInt32();
}

/// <summary>Toward zero; beyond the range the nearest number, NaN gives 0.</summary>
internal readonly struct FloatToSigned : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a)
    {
        Vector256<float> x = a.AsSingle();
        Vector256<int> whole = Vector256.ConvertToInt32Native(x);
        // What is too large gives the smallest number natively, as what is too small does.
        Vector256<int> large = Vector256.GreaterThanOrEqual(x, Vector256.Create(2147483648f)).AsInt32();
        whole = Vector256.ConditionalSelect(large, Vector256.Create(int.MaxValue), whole);
        return (whole & Vector256.Equals(x, x).AsInt32()).AsUInt32();
    }
}

/// <summary>Rounded to nearest even; NaN gives 0x7fff.</summary>
internal readonly struct FloatToBFloat16 : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a)
    {
        Vector256<uint> rounded = a + Vector256.Create(0x7fffu) + (a >>> 16 & Vector256.Create(1u)) >>> 16;
        return Vector256.ConditionalSelect(Vector256.Equals(a.AsSingle(), a.AsSingle()).AsUInt32(), rounded, Vector256.Create(0x7fffu));
    }
}

internal readonly struct BFloat16Pair : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => FloatToBFloat16.Do(a) << 16 | FloatToBFloat16.Do(b);
}

internal readonly struct EqualFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Equals(a.AsSingle(), b.AsSingle()).AsUInt32();
}

internal readonly struct LessFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.LessThan(a.AsSingle(), b.AsSingle()).AsUInt32();
}

internal readonly struct LessOrEqualFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) =>
        Vector256.LessThanOrEqual(a.AsSingle(), b.AsSingle()).AsUInt32();
}

/// <summary>Neither is NaN.</summary>
internal readonly struct OrderedFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) =>
        (Vector256.Equals(a.AsSingle(), a.AsSingle()) & Vector256.Equals(b.AsSingle(), b.AsSingle())).AsUInt32();
}

internal readonly struct Equal64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => Vector256.Equals(a, b);
}

internal readonly struct LessSigned64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => Vector256.LessThan(a.AsInt64(), b.AsInt64()).AsUInt64();
}

internal readonly struct LessUnsigned64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => Vector256.LessThan(a, b);
}

internal readonly struct And64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => a & b;
}

internal readonly struct Or64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => a | b;
}

/// <summary>32 bits to 64.</summary>
internal interface IWiden
{
    static abstract (Vector256<ulong> Low, Vector256<ulong> High) Do(Vector256<uint> a);

    /// <summary>The product of what was widened.</summary>
    static abstract Vector256<ulong> Multiply(Vector256<ulong> a, Vector256<ulong> b);
}

internal readonly struct WidenSigned : IWiden
{
    public static (Vector256<ulong> Low, Vector256<ulong> High) Do(Vector256<uint> a) =>
        (Vector256.WidenLower(a.AsInt32()).AsUInt64(), Vector256.WidenUpper(a.AsInt32()).AsUInt64());

    public static Vector256<ulong> Multiply(Vector256<ulong> a, Vector256<ulong> b) =>
        Avx2.IsSupported ? Avx2.Multiply(a.AsInt32(), b.AsInt32()).AsUInt64() : a * b;
}

internal readonly struct WidenUnsigned : IWiden
{
    public static (Vector256<ulong> Low, Vector256<ulong> High) Do(Vector256<uint> a) => (Vector256.WidenLower(a), Vector256.WidenUpper(a));

    public static Vector256<ulong> Multiply(Vector256<ulong> a, Vector256<ulong> b) =>
        Avx2.IsSupported ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32()) : a * b;
}
