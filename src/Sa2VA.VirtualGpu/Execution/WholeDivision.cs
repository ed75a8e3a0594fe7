using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Quotients of 32-bit integers by way of float64. A quotient that is no whole number is at least 1/|b| away from the next, and rounded by
/// less than |a/b|·2^−53, so cutting it gives what cutting the true one does.
/// </summary>
internal static class WholeDivision
{
    /// <summary>Of float64 numbers between ±2^51 and 2^52 behind which the ones stand in the lowest bits.</summary>
    private const double Ones = 3L << 51;

    public static Vector256<uint> Signed(Vector256<uint> a, Vector256<uint> b) =>
        Cut(b, Divide(Vector256.WidenLower(a.AsInt32()), Vector256.WidenLower(b.AsInt32())),
            Divide(Vector256.WidenUpper(a.AsInt32()), Vector256.WidenUpper(b.AsInt32())));

    public static Vector256<uint> Unsigned(Vector256<uint> a, Vector256<uint> b) =>
        Cut(b, Divide(Vector256.WidenLower(a).AsInt64(), Vector256.WidenLower(b).AsInt64()),
            Divide(Vector256.WidenUpper(a).AsInt64(), Vector256.WidenUpper(b).AsInt64()));

    private static Vector256<double> Divide(Vector256<long> a, Vector256<long> b) =>
        Vector256.ConvertToDouble(a) / Vector256.ConvertToDouble(b);

    /// <summary>Division by zero is unspecified; cards give all ones.</summary>
    private static Vector256<uint> Cut(Vector256<uint> b, Vector256<double> low, Vector256<double> high)
    {
        Vector256<double> ones = Vector256.Create(Ones);
        return Vector256.Narrow((Vector256.Truncate(low) + ones).AsUInt64(), (Vector256.Truncate(high) + ones).AsUInt64())
            | Vector256.Equals(b, Vector256<uint>.Zero);
    }
}

internal readonly struct DivideSigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => WholeDivision.Signed(a, b);
}

internal readonly struct DivideUnsigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => WholeDivision.Unsigned(a, b);
}

/// <summary>By zero: the dividend.</summary>
internal readonly struct RemainderSigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a - WholeDivision.Signed(a, b) * b;
}

/// <inheritdoc cref="RemainderSigned"/>
internal readonly struct RemainderUnsigned : IBinary
{
    public static Vector256<uint> Do(Vector256<uint> a, Vector256<uint> b) => a - WholeDivision.Unsigned(a, b) * b;
}
