using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

// More operators that run on whole rows. Each gives lane by lane what the function of its name in IntegerFunctions, FloatFunctions or
// Conversions gives.

/// <summary>Shifts; all lanes mostly shift by the same number.</summary>
internal interface IShift
{
    static abstract Vector512<uint> Do(Vector512<uint> a, int n);

    static abstract Vector512<ulong> Do(Vector512<ulong> a, int n);

    static abstract uint One(uint a, uint n);

    static abstract ulong One(ulong a, uint n);
}

internal readonly struct Left : IShift
{
    public static Vector512<uint> Do(Vector512<uint> a, int n) => n >= 32 ? Vector512<uint>.Zero : a << n;

    public static Vector512<ulong> Do(Vector512<ulong> a, int n) => n >= 64 ? Vector512<ulong>.Zero : a << n;

    public static uint One(uint a, uint n) => n >= 32 ? 0 : a << (int)n;

    public static ulong One(ulong a, uint n) => n >= 64 ? 0 : a << (int)n;
}

internal readonly struct RightUnsigned : IShift
{
    public static Vector512<uint> Do(Vector512<uint> a, int n) => n >= 32 ? Vector512<uint>.Zero : a >>> n;

    public static Vector512<ulong> Do(Vector512<ulong> a, int n) => n >= 64 ? Vector512<ulong>.Zero : a >>> n;

    public static uint One(uint a, uint n) => n >= 32 ? 0 : a >> (int)n;

    public static ulong One(ulong a, uint n) => n >= 64 ? 0 : a >> (int)n;
}

internal readonly struct RightSigned : IShift
{
    public static Vector512<uint> Do(Vector512<uint> a, int n) => (a.AsInt32() >> Math.Min(n, 31)).AsUInt32();

    public static Vector512<ulong> Do(Vector512<ulong> a, int n) => (a.AsInt64() >> Math.Min(n, 63)).AsUInt64();

    public static uint One(uint a, uint n) => (uint)((int)a >> (int)Math.Min(n, 31));

    public static ulong One(ulong a, uint n) => (ulong)((long)a >> (int)Math.Min(n, 63));
}

internal readonly struct DivideFloat : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) => CardNaN.Of(a.AsSingle() / b.AsSingle());
}

internal readonly struct RootFloat : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a) => CardNaN.Of(Vector512.Sqrt(a.AsSingle()));
}

internal readonly struct ReciprocalFloat : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a) => CardNaN.Of(Vector512.Create(1f) / a.AsSingle());
}

internal readonly struct NearestWhole : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a) => CardNaN.Of(Vector512.Round(a.AsSingle(), MidpointRounding.ToEven));
}

internal readonly struct SignedToFloat : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a) => Vector512.ConvertToSingle(a.AsInt32()).AsUInt32();
}

/// <summary>Toward zero; beyond the range the nearest number, NaN gives 0.</summary>
internal readonly struct FloatToSigned : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a)
    {
        Vector512<float> x = a.AsSingle();
        Vector512<int> whole = Vector512.ConvertToInt32Native(x);
        // What is too large gives the smallest number natively, as what is too small does.
        Vector512<int> large = Vector512.GreaterThanOrEqual(x, Vector512.Create(2147483648f)).AsInt32();
        whole = Vector512.ConditionalSelect(large, Vector512.Create(int.MaxValue), whole);
        return (whole & Vector512.Equals(x, x).AsInt32()).AsUInt32();
    }
}

/// <summary>Rounded to nearest even; NaN gives 0x7fff.</summary>
internal readonly struct FloatToBFloat16 : IUnary
{
    public static Vector512<uint> Do(Vector512<uint> a)
    {
        Vector512<uint> rounded = a + Vector512.Create(0x7fffu) + (a >>> 16 & Vector512.Create(1u)) >>> 16;
        return Vector512.ConditionalSelect(Vector512.Equals(a.AsSingle(), a.AsSingle()).AsUInt32(), rounded, Vector512.Create(0x7fffu));
    }
}

internal readonly struct BFloat16Pair : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) => FloatToBFloat16.Do(a) << 16 | FloatToBFloat16.Do(b);
}

internal readonly struct EqualFloat : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) => Vector512.Equals(a.AsSingle(), b.AsSingle()).AsUInt32();
}

internal readonly struct LessFloat : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) => Vector512.LessThan(a.AsSingle(), b.AsSingle()).AsUInt32();
}

internal readonly struct LessOrEqualFloat : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) =>
        Vector512.LessThanOrEqual(a.AsSingle(), b.AsSingle()).AsUInt32();
}

/// <summary>Neither is NaN.</summary>
internal readonly struct OrderedFloat : IBinary
{
    public static Vector512<uint> Do(Vector512<uint> a, Vector512<uint> b) =>
        (Vector512.Equals(a.AsSingle(), a.AsSingle()) & Vector512.Equals(b.AsSingle(), b.AsSingle())).AsUInt32();
}

internal readonly struct Equal64 : IBinary64
{
    public static Vector512<ulong> Do(Vector512<ulong> a, Vector512<ulong> b) => Vector512.Equals(a, b);
}

internal readonly struct LessSigned64 : IBinary64
{
    public static Vector512<ulong> Do(Vector512<ulong> a, Vector512<ulong> b) => Vector512.LessThan(a.AsInt64(), b.AsInt64()).AsUInt64();
}

internal readonly struct LessUnsigned64 : IBinary64
{
    public static Vector512<ulong> Do(Vector512<ulong> a, Vector512<ulong> b) => Vector512.LessThan(a, b);
}

internal readonly struct And64 : IBinary64
{
    public static Vector512<ulong> Do(Vector512<ulong> a, Vector512<ulong> b) => a & b;
}

internal readonly struct Or64 : IBinary64
{
    public static Vector512<ulong> Do(Vector512<ulong> a, Vector512<ulong> b) => a | b;
}

/// <summary>32 bits to 64.</summary>
internal interface IWiden { static abstract (Vector512<ulong> Low, Vector512<ulong> High) Do(Vector512<uint> a); }

internal readonly struct WidenSigned : IWiden
{
    public static (Vector512<ulong> Low, Vector512<ulong> High) Do(Vector512<uint> a) =>
        (Vector512.WidenLower(a.AsInt32()).AsUInt64(), Vector512.WidenUpper(a.AsInt32()).AsUInt64());
}

internal readonly struct WidenUnsigned : IWiden
{
    public static (Vector512<ulong> Low, Vector512<ulong> High) Do(Vector512<uint> a) => (Vector512.WidenLower(a), Vector512.WidenUpper(a));
}
