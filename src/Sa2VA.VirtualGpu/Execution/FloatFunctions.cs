using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Float operations of one lane: IEEE, round to nearest even. The approximate ones are computed in float64 and rounded once, so they are at
/// least as near as any card's.
/// </summary>
internal static class FloatFunctions
{
    public static float F32(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static double F64(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    public static float Half(ulong bits) => (float)BitConverter.UInt16BitsToHalf((ushort)bits);

    public static float BFloat16(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Denormals to zero of the same sign.</summary>
    public static float Flush(float x) => float.IsSubnormal(x) ? MathF.CopySign(0, x) : x;

    /// <summary>
    /// The float32 operation of that name, denormals flushed and the result clamped to [0, 1] where asked; null if there is none.
    /// </summary>
    public static Func<ulong, ulong, ulong, ulong>? Find32(string name, bool flush, bool saturate)
    {
        Func<float, float, float, float>? f = name switch
        {
            "add" => (a, b, _) => a + b,
            "sub" => (a, b, _) => a - b,
            "mul" => (a, b, _) => a * b,
            "fma" => MathF.FusedMultiplyAdd,
            "div" => (a, b, _) => a / b,
            "min" => (a, b, _) => float.MinNumber(a, b),
            "max" => (a, b, _) => float.MaxNumber(a, b),
            "min.nan" => (a, b, _) => float.Min(a, b),
            "max.nan" => (a, b, _) => float.Max(a, b),
            "sqrt" => (a, _, _) => MathF.Sqrt(a),
            "rcp" => (a, _, _) => 1 / a,
            "rsqrt" => (a, _, _) => (float)(1 / Math.Sqrt(a)),
            "ex2" => (a, _, _) => (float)PowerOfTwo.Of(a),
            "lg2" => (a, _, _) => (float)Math.Log2(a),
            "sin" => (a, _, _) => (float)Math.Sin(a),
            "cos" => (a, _, _) => (float)Math.Cos(a),
            "tanh" => (a, _, _) => (float)Math.Tanh(a),
            _ => null,
        };
        if (f is null) return null;
        if (!flush && !saturate) return (a, b, c) => CardNaN.Of(f(F32(a), F32(b), F32(c)));
        float In(ulong v) => flush ? Flush(F32(v)) : F32(v);
        return (a, b, c) =>
        {
            float r = f(In(a), In(b), In(c));
            if (flush) r = Flush(r);
            if (saturate) r = Saturate(r);
            return CardNaN.Of(r);
        };
    }

    /// <summary>Clamped to [0, 1]; NaN and −0 give +0.</summary>
    public static float Saturate(float x) => x > 0 ? Math.Min(x, 1) : 0;

    public static Func<ulong, ulong, ulong, ulong>? Find64(string name)
    {
        Func<double, double, double, double>? f = name switch
        {
            "add" => (a, b, _) => a + b,
            "sub" => (a, b, _) => a - b,
            "mul" => (a, b, _) => a * b,
            "fma" => Math.FusedMultiplyAdd,
            "div" => (a, b, _) => a / b,
            "min" => (a, b, _) => double.MinNumber(a, b),
            "max" => (a, b, _) => double.MaxNumber(a, b),
            "sqrt" => (a, _, _) => Math.Sqrt(a),
            "rcp" => (a, _, _) => 1 / a,
            "neg" => (a, _, _) => -a,
            "abs" => (a, _, _) => Math.Abs(a),
            _ => null,
        };
        return f is null ? null : (a, b, c) => BitConverter.DoubleToUInt64Bits(f(F64(a), F64(b), F64(c)));
    }

    /// <summary>Operations on float16 or bfloat16, one or two in a register; null if there is none of that name.</summary>
    public static Func<ulong, ulong, ulong, ulong>? FindHalf(string name, DataType type)
    {
        bool brain = type is DataType.BF16 or DataType.BF16X2, pair = type is DataType.F16X2 or DataType.BF16X2;
        if (name is "neg" or "abs")
        {
            ulong sign = pair ? 0x80008000u : 0x8000u;
            return name == "neg" ? (a, _, _) => a ^ sign : (a, _, _) => a & ~sign;
        }
        Func<float, float, float, double>? f = name switch
        {
            // The sums, products and differences of two are exact enough in float64 that one rounding follows.
            "add" => (a, b, _) => SumToOdd(a, b),
            "sub" => (a, b, _) => SumToOdd(a, -b),
            "mul" => (a, b, _) => (double)a * b,
            "fma" => (a, b, c) => SumToOdd((double)a * b, c),
            "min" => (a, b, _) => float.MinNumber(a, b),
            "max" => (a, b, _) => float.MaxNumber(a, b),
            "min.nan" => (a, b, _) => float.Min(a, b),
            "max.nan" => (a, b, _) => float.Max(a, b),
            "ex2" => (a, _, _) => PowerOfTwo.Of(a),
            "tanh" => (a, _, _) => Math.Tanh(a),
            _ => null,
        };
        if (f is null) return null;
        float In(ulong v) => brain ? BFloat16(v & 0xffff) : Half(v & 0xffff);
        ulong Out(double v) => brain ? ToBFloat16(v) : ToHalf(v);
        return pair
            ? (a, b, c) => Out(f(In(a), In(b), In(c))) | Out(f(In(a >> 16), In(b >> 16), In(c >> 16))) << 16
            : (a, b, c) => Out(f(In(a), In(b), In(c)));
    }

    /// <summary>testp: whether a number is of a kind.</summary>
    public static ulong Test(string kind, double x, bool subnormal) => (kind switch
    {
        "finite" => double.IsFinite(x),
        "infinite" => double.IsInfinity(x),
        "number" => !double.IsNaN(x),
        "notanumber" => double.IsNaN(x),
        "subnormal" => subnormal,
        _ => double.IsFinite(x) && x != 0 && !subnormal,
    }) ? 1u : 0;

    /// <summary>a + b rounded to odd: a later rounding to fewer bits then gives what rounding the exact sum gives.</summary>
    public static double SumToOdd(double a, double b)
    {
        double s = a + b, t = s - a, error = a - (s - t) + (b - t);
        if (error == 0 || !double.IsFinite(s) || (BitConverter.DoubleToUInt64Bits(s) & 1) != 0) return s;
        return error > 0 ? Math.BitIncrement(s) : Math.BitDecrement(s);
    }

    public static ulong ToHalf(double x) => double.IsNaN(x) ? 0x7ffful : BitConverter.HalfToUInt16Bits((Half)x);

    /// <summary>Round to nearest even, from float64 in one step.</summary>
    public static ulong ToBFloat16(double x)
    {
        if (double.IsNaN(x)) return 0x7fff;
        float f = (float)x;
        uint bits = BitConverter.SingleToUInt32Bits(f);
        if (f != x && float.IsFinite(f) && (bits & 1) == 0) bits += Math.Abs(f) < Math.Abs(x) ? 1 : ~0u;
        return bits + 0x7fff + (bits >> 16 & 1) >> 16;
    }

    /// <summary>Whether a comparison of that name holds between floats; names with u hold for NaN too; null if there is none.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Comparison(string name, Func<ulong, double> read)
    {
        Func<double, double, bool>? f = name switch
        {
            "eq" => (a, b) => a == b,
            "ne" => (a, b) => a < b || a > b,
            "lt" => (a, b) => a < b,
            "le" => (a, b) => a <= b,
            "gt" => (a, b) => a > b,
            "ge" => (a, b) => a >= b,
            "equ" => (a, b) => !(a < b || a > b),
            "neu" => (a, b) => a != b,
            "ltu" => (a, b) => !(a >= b),
            "leu" => (a, b) => !(a > b),
            "gtu" => (a, b) => !(a <= b),
            "geu" => (a, b) => !(a < b),
            "num" => (a, b) => !double.IsNaN(a) && !double.IsNaN(b),
            "nan" => (a, b) => double.IsNaN(a) || double.IsNaN(b),
            _ => null,
        };
        return f is null ? null : (a, b, _) => f(read(a), read(b)) ? 1u : 0;
    }
}
