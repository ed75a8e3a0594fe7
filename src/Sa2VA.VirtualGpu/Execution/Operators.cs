using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

// Operators are structs, so that one loop per shape is specialised by the compiler for each of them. Only the frequent ones are here; all
// others run lane by lane (ScalarFunctions).

internal interface IUnary { static abstract Vector256<uint> Do(Vector256<uint> a); }

internal interface IBinary { static abstract Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b); }

internal interface ITernary { static abstract Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c); }

internal interface IBinary64 { static abstract Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b); }

internal readonly struct Move : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => a;
}

internal readonly struct Not : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => ~a;
}

internal readonly struct Negate : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => Vector256<uint>.Zero - a;
}

internal readonly struct FlipSign : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => a ^ Vector256.Create(0x80000000u);
}

internal readonly struct ClearSign : IUnary
{
    public static Vector256<uint> Do(Vector256<uint> a) => a & Vector256.Create(0x7fffffffu);
}

internal readonly struct Add : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a + b;
}

internal readonly struct Subtract : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a - b;
}

internal readonly struct Multiply : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a * b;
}

internal readonly struct And : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a & b;
}

internal readonly struct Or : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a | b;
}

internal readonly struct Xor : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a ^ b;
}

internal readonly struct MinSigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Min(a.AsInt32(), b.AsInt32()).AsUInt32();
}

internal readonly struct MaxSigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Max(a.AsInt32(), b.AsInt32()).AsUInt32();
}

internal readonly struct MinUnsigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Min(a, b);
}

internal readonly struct MaxUnsigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Max(a, b);
}

internal readonly struct AddFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(a.AsSingle() + b.AsSingle());
}

internal readonly struct SubtractFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(a.AsSingle() - b.AsSingle());
}

internal readonly struct MultiplyFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(a.AsSingle() * b.AsSingle());
}

internal readonly struct MinFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(Vector256.MinNumber(a.AsSingle(), b.AsSingle()));
}

internal readonly struct MaxFloat : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => CardNaN.Of(Vector256.MaxNumber(a.AsSingle(), b.AsSingle()));
}

internal readonly struct MultiplyAdd : ITernary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) => a * b + c;
}

internal readonly struct FusedMultiplyAddFloat : ITernary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b, Vector256<uint> c) =>
        CardNaN.Of(Vector256.FusedMultiplyAdd(a.AsSingle(), b.AsSingle(), c.AsSingle()));
}

internal readonly struct Add64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => a + b;
}

internal readonly struct Subtract64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => a - b;
}

internal readonly struct Multiply64 : IBinary64
{
    public static Vector256<ulong> Do(Vector256<ulong> a, Vector256<ulong> b) => a * b;
}

internal readonly struct Equal : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.Equals(a, b);
}

internal readonly struct LessSigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.LessThan(a.AsInt32(), b.AsInt32()).AsUInt32();
}

internal readonly struct LessUnsigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => Vector256.LessThan(a, b);
}

/// <summary>Every NaN that arithmetic gives on a card has these bits, whatever went in.</summary>
internal static class CardNaN
{
    public const uint Bits = 0x7fffffff;

    public static Vector256<uint> Of(Vector256<float> x) =>
        Vector256.ConditionalSelect(Vector256.Equals(x, x).AsUInt32(), x.AsUInt32(), Vector256.Create(Bits));

    public static uint Of(float x) => float.IsNaN(x) ? Bits : BitConverter.SingleToUInt32Bits(x);
}
