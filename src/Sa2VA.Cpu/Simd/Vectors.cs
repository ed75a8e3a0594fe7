using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sa2VA.Cpu;

/// <summary>128-bit vectors.</summary>
internal readonly unsafe struct V128(Vector128<float> v) : ISimd<V128>
{
    private readonly Vector128<float> _v = v;

    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 4; }

    public static V128 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector128<float>.Zero); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Create(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Load(float* from) => new(Vector128.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 LowBFloat16(ushort* pairs) => new(Vector128.ShiftLeft(Vector128.Load((uint*)pairs), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 HighBFloat16(ushort* pairs) =>
        new((Vector128.Load((uint*)pairs) & Vector128.Create(0xffff0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 LowHalf(ushort* pairs)
    {
        Vector128<uint> bits = Vector128.Load((uint*)pairs), sign = Vector128.ShiftLeft(bits & Vector128.Create(0x8000u), 16);
        return FromHalf(Vector128.ShiftLeft(bits & Vector128.Create(0x7fffu), 13), sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 HighHalf(ushort* pairs)
    {
        Vector128<uint> bits = Vector128.Load((uint*)pairs);
        return FromHalf(Vector128.ShiftRightLogical(bits & Vector128.Create(0x7fff0000u), 3), bits & Vector128.Create(0x80000000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Bytes(sbyte* from) => new(Vector128.ConvertToSingle(Integers(from)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 LowFourBits(sbyte* from) =>
        new(Vector128.ConvertToSingle(Vector128.ShiftRightArithmetic(Vector128.ShiftLeft(Integers(from), 28), 28)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 HighFourBits(sbyte* from) => new(Vector128.ConvertToSingle(Vector128.ShiftRightArithmetic(Integers(from), 4)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Integers(sbyte* from) =>
        Sse41.IsSupported ? Sse41.ConvertToVector128Int32(from)
            : Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)from).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(V128 value, float* to) => value._v.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 MultiplyAdd(V128 a, V128 b, V128 c) => new(Vector128.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 operator +(V128 a, V128 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 operator -(V128 a, V128 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 operator *(V128 a, V128 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 operator /(V128 a, V128 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Max(V128 a, V128 b) => new(Vector128.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Min(V128 a, V128 b) => new(Vector128.Min(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Abs(V128 a) => new(Vector128.Abs(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Sqrt(V128 a) => new(Vector128.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 Round(V128 a) => new(Vector128.Round(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 PowerOfTwo(V128 n) =>
        new(Vector128.ShiftLeft(Vector128.ConvertToInt32(n._v) + Vector128.Create(127), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 SelectLess(V128 a, V128 b, V128 x, V128 y) =>
        new(Vector128.ConditionalSelect(Vector128.LessThan(a._v, b._v), x._v, y._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V128 CopySign(V128 a, V128 b) =>
        new(Vector128.ConditionalSelect(Vector128.Create(0x80000000u).AsSingle(), b._v, a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold16(V128 s0, V128 s1, V128 s2, V128 s3) => (s0._v + s2._v) + (s1._v + s3._v);

    // Exponent and mantissa moved into place read as value·2^−112; the multiplication puts the bias right, for subnormals too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V128 FromHalf(Vector128<uint> magnitude, Vector128<uint> sign) =>
        new(((magnitude.AsSingle() * Vector128.Create(5.192296858534828e33f)).AsUInt32() | sign).AsSingle());
}

/// <summary>256-bit vectors.</summary>
internal readonly unsafe struct V256(Vector256<float> v) : ISimd<V256>
{
    private readonly Vector256<float> _v = v;

    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 8; }

    public static V256 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector256<float>.Zero); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Create(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Load(float* from) => new(Vector256.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 LowBFloat16(ushort* pairs) => new(Vector256.ShiftLeft(Vector256.Load((uint*)pairs), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 HighBFloat16(ushort* pairs) =>
        new((Vector256.Load((uint*)pairs) & Vector256.Create(0xffff0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 LowHalf(ushort* pairs)
    {
        Vector256<uint> bits = Vector256.Load((uint*)pairs), sign = Vector256.ShiftLeft(bits & Vector256.Create(0x8000u), 16);
        return FromHalf(Vector256.ShiftLeft(bits & Vector256.Create(0x7fffu), 13), sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 HighHalf(ushort* pairs)
    {
        Vector256<uint> bits = Vector256.Load((uint*)pairs);
        return FromHalf(Vector256.ShiftRightLogical(bits & Vector256.Create(0x7fff0000u), 3), bits & Vector256.Create(0x80000000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Bytes(sbyte* from) => new(Vector256.ConvertToSingle(Integers(from)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 LowFourBits(sbyte* from) =>
        new(Vector256.ConvertToSingle(Vector256.ShiftRightArithmetic(Vector256.ShiftLeft(Integers(from), 28), 28)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 HighFourBits(sbyte* from) => new(Vector256.ConvertToSingle(Vector256.ShiftRightArithmetic(Integers(from), 4)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<int> Integers(sbyte* from) =>
        Avx2.IsSupported ? Avx2.ConvertToVector256Int32(from)
            : Vector256.Create(Widened(from, 0), Widened(from, 4));

    private static Vector128<int> Widened(sbyte* from, int at) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)(from + at)).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(V256 value, float* to) => value._v.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 MultiplyAdd(V256 a, V256 b, V256 c) => new(Vector256.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 operator +(V256 a, V256 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 operator -(V256 a, V256 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 operator *(V256 a, V256 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 operator /(V256 a, V256 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Max(V256 a, V256 b) => new(Vector256.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Min(V256 a, V256 b) => new(Vector256.Min(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Abs(V256 a) => new(Vector256.Abs(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Sqrt(V256 a) => new(Vector256.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 Round(V256 a) => new(Vector256.Round(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 PowerOfTwo(V256 n) =>
        new(Vector256.ShiftLeft(Vector256.ConvertToInt32(n._v) + Vector256.Create(127), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 SelectLess(V256 a, V256 b, V256 x, V256 y) =>
        new(Vector256.ConditionalSelect(Vector256.LessThan(a._v, b._v), x._v, y._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V256 CopySign(V256 a, V256 b) =>
        new(Vector256.ConditionalSelect(Vector256.Create(0x80000000u).AsSingle(), b._v, a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold16(V256 s0, V256 s1, V256 s2, V256 s3)
    {
        Vector256<float> eight = s0._v + s1._v;
        return eight.GetLower() + eight.GetUpper();
    }

    // Exponent and mantissa moved into place read as value·2^−112; the multiplication puts the bias right, for subnormals too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V256 FromHalf(Vector256<uint> magnitude, Vector256<uint> sign) =>
        new(((magnitude.AsSingle() * Vector256.Create(5.192296858534828e33f)).AsUInt32() | sign).AsSingle());
}

/// <summary>512-bit vectors.</summary>
internal readonly unsafe struct V512(Vector512<float> v) : ISimd<V512>
{
    private readonly Vector512<float> _v = v;

    public static int Count { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => 16; }

    public static V512 Zero { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => new(Vector512<float>.Zero); }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Create(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Load(float* from) => new(Vector512.Load(from));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 LowBFloat16(ushort* pairs) => new(Vector512.ShiftLeft(Vector512.Load((uint*)pairs), 16).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 HighBFloat16(ushort* pairs) =>
        new((Vector512.Load((uint*)pairs) & Vector512.Create(0xffff0000u)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 LowHalf(ushort* pairs)
    {
        Vector512<uint> bits = Vector512.Load((uint*)pairs), sign = Vector512.ShiftLeft(bits & Vector512.Create(0x8000u), 16);
        return FromHalf(Vector512.ShiftLeft(bits & Vector512.Create(0x7fffu), 13), sign);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 HighHalf(ushort* pairs)
    {
        Vector512<uint> bits = Vector512.Load((uint*)pairs);
        return FromHalf(Vector512.ShiftRightLogical(bits & Vector512.Create(0x7fff0000u), 3), bits & Vector512.Create(0x80000000u));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Bytes(sbyte* from) => new(Vector512.ConvertToSingle(Integers(from)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 LowFourBits(sbyte* from) =>
        new(Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(Vector512.ShiftLeft(Integers(from), 28), 28)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 HighFourBits(sbyte* from) => new(Vector512.ConvertToSingle(Vector512.ShiftRightArithmetic(Integers(from), 4)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Integers(sbyte* from) =>
        Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(Vector128.Load(from))
            : Vector512.Create(Vector256.Create(Widened(from, 0), Widened(from, 4)), Vector256.Create(Widened(from, 8), Widened(from, 12)));

    private static Vector128<int> Widened(sbyte* from, int at) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalar(*(uint*)(from + at)).AsSByte()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(V512 value, float* to) => value._v.Store(to);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 MultiplyAdd(V512 a, V512 b, V512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 operator +(V512 a, V512 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 operator -(V512 a, V512 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 operator *(V512 a, V512 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 operator /(V512 a, V512 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Max(V512 a, V512 b) => new(Vector512.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Min(V512 a, V512 b) => new(Vector512.Min(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Abs(V512 a) => new(Vector512.Abs(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Sqrt(V512 a) => new(Vector512.Sqrt(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 Round(V512 a) => new(Vector512.Round(a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 PowerOfTwo(V512 n) =>
        new(Vector512.ShiftLeft(Vector512.ConvertToInt32(n._v) + Vector512.Create(127), 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 SelectLess(V512 a, V512 b, V512 x, V512 y) =>
        new(Vector512.ConditionalSelect(Vector512.LessThan(a._v, b._v), x._v, y._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V512 CopySign(V512 a, V512 b) =>
        new(Vector512.ConditionalSelect(Vector512.Create(0x80000000u).AsSingle(), b._v, a._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Fold16(V512 s0, V512 s1, V512 s2, V512 s3)
    {
        Vector256<float> eight = s0._v.GetLower() + s0._v.GetUpper();
        return eight.GetLower() + eight.GetUpper();
    }

    // Exponent and mantissa moved into place read as value·2^−112; the multiplication puts the bias right, for subnormals too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V512 FromHalf(Vector512<uint> magnitude, Vector512<uint> sign) =>
        new(((magnitude.AsSingle() * Vector512.Create(5.192296858534828e33f)).AsUInt32() | sign).AsSingle());
}
