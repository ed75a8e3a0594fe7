namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Float32 arithmetic that rounds toward zero (rz), down (rm) or up (rp), as compilers use it in exponentials.</summary>
internal static class DirectedRounding
{
    /// <summary>The operation of that name; null if there is none that rounds so.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Find32(string name, string mode, bool flush, bool saturate)
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

    private static double Sum(double a, double b, string mode)
    {
        double s = FloatFunctions.SumToOdd(a, b);
        // Down, a sum of opposites is −0.
        return s == 0 && mode == "rm" && (double.IsNegative(a) || double.IsNegative(b)) ? -0.0 : s;
    }

    /// <summary>The next float32 on the side that the mode says.</summary>
    public static float Round(double x, string mode)
    {
        float nearest = (float)x;
        if (nearest == x || double.IsNaN(x)) return nearest;
        bool down = mode == "rm" || mode == "rz" && x > 0;
        if (down) return nearest > x ? MathF.BitDecrement(nearest) : nearest;
        return nearest < x ? MathF.BitIncrement(nearest) : nearest;
    }
}
