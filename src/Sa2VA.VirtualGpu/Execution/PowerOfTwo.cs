using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// 2ˣ in float64 by a polynomial, the same on every machine. Its error is some 2⁻⁵², so that of float32 numbers none but what lies as near
/// to the middle between two is rounded to the other.
/// </summary>
internal static class PowerOfTwo
{
    private const double LogarithmOfTwo = 0.69314718055994530942;

    /// <summary>ln(2)ᵏ / k!, the highest k first.</summary>
    private static readonly double[] Terms = [.. Enumerable.Range(0, 14).Reverse()
        .Select(k => Enumerable.Range(1, k).Aggregate(1.0, (term, n) => term * LogarithmOfTwo / n))];

    /// <summary>Rounded to float32.</summary>
    public static Vector256<float> Of(Vector256<float> x)
    {
        (Vector256<double> low, Vector256<double> high) = Vector256.Widen(x);
        return Vector256.Narrow(Of(low), Of(high));
    }

    public static double Of(double x) => Of(Vector256.Create(x)).ToScalar();

    /// <summary>Beyond 2^±300 as there: float32 and 16 bits have 0 and infinity there long since.</summary>
    private static Vector256<double> Of(Vector256<double> x)
    {
        Vector256<double> near = Vector256.MinNative(Vector256.MaxNative(x, Vector256.Create(-300.0)), Vector256.Create(300.0)),
            whole = Vector256.Round(near, MidpointRounding.ToEven), rest = near - whole, value = Vector256.Create(Terms[0]);
        for (int k = 1; k < Terms.Length; k++) value = Vector256.FusedMultiplyAdd(value, rest, Vector256.Create(Terms[k]));
        // The low bits of whole + 3·2⁵¹ are the number.
        Vector256<long> power = (whole + Vector256.Create(6755399441055744.0)).AsInt64() + Vector256.Create(1023L) << 52;
        return Vector256.ConditionalSelect(Vector256.Equals(x, x), value * power.AsDouble(), x);
    }
}
