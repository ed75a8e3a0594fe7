namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Float32 arithmetic that rounds toward zero (rz), down (rm) or up (rp), as compilers use it in exponentials.</summary>
internal static class DirectedRounding
{
    /// <summary>The rounding of a modifier, which may be absent.</summary>
    public static Rounding Take(string? modifier) => modifier switch
    {
        "rz" => Rounding.TowardZero,
        "rm" => Rounding.Down,
        "rp" => Rounding.Up,
        _ => Rounding.None,
    };

    /// <summary>The operation of that name; null if there is none that rounds so.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Find32(string name, Rounding mode, bool flush, bool saturate)
    {
        // Products of two are exact in float64; sums are rounded to odd, which tells on which side of a float32 they lie.
        Func<float, float, float, double>? f = name switch
        {
            "add" => (a, b, _) => Sum(a, b, mode),
            "sub" => (a, b, _) => Sum(a, -b, mode),
            "mul" => (a, b, _) => (double)a * b,
            "fma" => (a, b, c) => Sum((double)a * b, c, mode),
            _ => null,
        };
        if (f is null) return null;
        float In(ulong v) => flush ? FloatFunctions.Flush(FloatFunctions.F32(v)) : FloatFunctions.F32(v);
        return (a, b, c) =>
        {
            float r = Round(f(In(a), In(b), In(c)), mode);
            if (flush) r = FloatFunctions.Flush(r);
            if (saturate) r = FloatFunctions.Saturate(r);
            return CardNaN.Of(r);
        };
    }

    private static double Sum(double a, double b, Rounding mode)
    {
        double s = FloatFunctions.SumToOdd(a, b);
        // Down, a sum of opposites is −0.
        return s == 0 && mode == Rounding.Down && (double.IsNegative(a) || double.IsNegative(b)) ? -0.0 : s;
    }

    /// <summary>The next float16 on the side that the mode says.</summary>
    public static ulong RoundHalf(double x, Rounding mode)
    {
        if (double.IsNaN(x)) return FloatFunctions.ToHalf(x);
        Half nearest = (Half)x;
        bool down = mode == Rounding.Down || mode == Rounding.TowardZero && x > 0;
        if (down && (double)nearest > x) nearest = Half.BitDecrement(nearest);
        else if (!down && (double)nearest < x) nearest = Half.BitIncrement(nearest);
        return BitConverter.HalfToUInt16Bits(nearest);
    }

    /// <summary>The next float32 on the side that the mode says.</summary>
    public static float Round(double x, Rounding mode)
    {
        float nearest = (float)x;
        if (nearest == x || double.IsNaN(x)) return nearest;
        bool down = mode == Rounding.Down || mode == Rounding.TowardZero && x > 0;
        if (down) return nearest > x ? MathF.BitDecrement(nearest) : nearest;
        return nearest < x ? MathF.BitIncrement(nearest) : nearest;
    }
}
