using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>How a conversion rounds: a type's own rounding to nearest even or toward zero, or to a whole number.</summary>
internal enum Rounding
{
    None,
    Nearest,
    TowardZero,
    Down,
    Up,
    WholeNearest,
    WholeTowardZero,
    WholeDown,
    WholeUp,
}

/// <summary>cvt: one value from a type to another.</summary>
internal static class Conversions
{
    /// <summary>The conversion, its result extended to the register's bits; null if it is not supported.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Find(
        DataType to, DataType from, Rounding rounding, bool flush, bool saturate, int registerBytes)
    {
        if (from.IsFloat && to.IsFloat) return Floats(to, from, rounding, flush, saturate);
        if (from.IsInteger && to.IsInteger) return rounding != Rounding.None || flush ? null : Integers(to, from, saturate, registerBytes);
        if (from.IsInteger)
            return rounding is Rounding.None or >= Rounding.WholeNearest || flush || saturate ? null : ToFloat(to, from, rounding);
        return to.IsInteger && rounding >= Rounding.WholeNearest ? ToInteger(to, from, rounding, flush, registerBytes) : null;
    }

    private static Func<ulong, ulong, ulong, ulong> Integers(DataType to, DataType from, bool saturate, int registerBytes)
    {
        ulong fromMask = IntegerFunctions.Mask(from);
        Int128 low = Lowest(to), high = Highest(to);
        return (a, _, _) =>
        {
            Int128 value = from.IsSigned ? IntegerFunctions.Signed(from, a) : a & fromMask;
            if (saturate) value = Int128.Clamp(value, low, high);
            return Extend(to, (ulong)(value & ulong.MaxValue), registerBytes);
        };
    }

    private static Func<ulong, ulong, ulong, ulong>? ToFloat(DataType to, DataType from, Rounding rounding)
    {
        ulong mask = IntegerFunctions.Mask(from);
        long S(ulong a) => IntegerFunctions.Signed(from, a);
        bool signed = from.IsSigned;
        if (rounding != Rounding.Nearest)
        {
            // The halves are exact in float64, their sum is rounded to odd.
            double High(ulong a) => (signed ? S(a) >> 32 : (double)((a & mask) >> 32)) * 4294967296.0;
            double Odd(ulong a) => FloatFunctions.SumToOdd(High(a), (uint)(signed ? (ulong)S(a) : a & mask));
            return to switch
            {
                DataType.F32 => (a, _, _) => BitConverter.SingleToUInt32Bits(DirectedRounding.Round(Odd(a), rounding)),
                DataType.F64 when from.Bytes <= 4 => (a, _, _) => BitConverter.DoubleToUInt64Bits(Odd(a)),
                DataType.F16 => (a, _, _) => DirectedRounding.RoundHalf(Odd(a), rounding),
                _ => null,
            };
        }
        return to switch
        {
            DataType.F32 => (a, _, _) => BitConverter.SingleToUInt32Bits(signed ? S(a) : (float)(a & mask)),
            DataType.F64 => (a, _, _) => BitConverter.DoubleToUInt64Bits(signed ? S(a) : (double)(a & mask)),
            DataType.F16 => (a, _, _) => FloatFunctions.ToHalf(signed ? S(a) : (double)(a & mask)),
            _ => null,
        };
    }

    /// <summary>Beyond the type's range the nearest value it has; NaN gives 0.</summary>
    private static Func<ulong, ulong, ulong, ulong>? ToInteger(DataType to, DataType from, Rounding rounding, bool flush, int registerBytes)
    {
        if (Reader(from, flush) is not { } read) return null;
        Int128 low = Lowest(to), high = Highest(to);
        return (a, _, _) =>
        {
            double x = Whole(read(a), rounding);
            Int128 value = double.IsNaN(x) ? 0 : x <= (double)low ? low : x >= (double)high ? high : (Int128)x;
            return Extend(to, (ulong)(value & ulong.MaxValue), registerBytes);
        };
    }

    private static Func<ulong, ulong, ulong, ulong>? Floats(DataType to, DataType from, Rounding rounding, bool flush, bool saturate)
    {
        if (Reader(from, flush) is not { } read) return null;
        bool whole = rounding >= Rounding.WholeNearest, widening = to.Bytes > from.Bytes;
        if (whole && to != from) return null;
        if (widening && rounding != Rounding.None || to.Bytes < from.Bytes && rounding == Rounding.None) return null;
        bool directed = rounding is Rounding.TowardZero or Rounding.Down or Rounding.Up;
        Func<double, ulong>? write = (to, rounding) switch
        {
            (DataType.F32, _) when directed => x => CardNaN.Of(DirectedRounding.Round(x, rounding)),
            (DataType.F16, _) when directed => x => DirectedRounding.RoundHalf(x, rounding),
            (DataType.F32, _) => x => CardNaN.Of(flush ? FloatFunctions.Flush((float)x) : (float)x),
            (DataType.F64, _) => BitConverter.DoubleToUInt64Bits,
            (DataType.F16, _) => FloatFunctions.ToHalf,
            (DataType.BF16, Rounding.Nearest) => FloatFunctions.ToBFloat16,
            (DataType.BF16, Rounding.TowardZero) when from == DataType.F32 =>
                x => double.IsNaN(x) ? 0x7fff : BitConverter.SingleToUInt32Bits((float)x) >> 16,
            _ => null,
        };
        if (write is null) return null;
        return (a, _, _) =>
        {
            double x = read(a);
            if (whole) x = Whole(x, rounding);
            if (saturate) x = x > 0 ? Math.Min(x, 1) : 0;
            return write(x);
        };
    }

    /// <summary>Two float32 to a pair of narrow floats, the first operand high; negative values become 0 with relu.</summary>
    public static Func<ulong, ulong, ulong, ulong> Pair(bool brain, bool relu)
    {
        ulong One(ulong v)
        {
            float x = FloatFunctions.F32(v);
            if (relu && x <= 0) x = 0;
            return brain ? FloatFunctions.ToBFloat16(x) : FloatFunctions.ToHalf(x);
        }
        return (a, b, _) => One(a) << 16 | One(b);
    }

    private static Func<ulong, double>? Reader(DataType from, bool flush) => from switch
    {
        DataType.F32 when flush => v => FloatFunctions.Flush(FloatFunctions.F32(v)),
        DataType.F32 => v => FloatFunctions.F32(v),
        DataType.F64 => FloatFunctions.F64,
        DataType.F16 => v => FloatFunctions.Half(v),
        DataType.BF16 => v => FloatFunctions.BFloat16(v),
        _ => null,
    };

    private static double Whole(double x, Rounding rounding) => rounding switch
    {
        Rounding.WholeNearest => Math.Round(x, MidpointRounding.ToEven),
        Rounding.WholeTowardZero => Math.Truncate(x),
        Rounding.WholeDown => Math.Floor(x),
        _ => Math.Ceiling(x),
    };

    private static Int128 Lowest(DataType type) => type.IsSigned ? -(Int128.One << 8 * type.Bytes - 1) : 0;

    private static Int128 Highest(DataType type) => (Int128.One << 8 * type.Bytes - (type.IsSigned ? 1 : 0)) - 1;

    /// <summary>A value of a type in a register that may be wider: signed types carry their sign up.</summary>
    public static ulong Extend(DataType type, ulong value, int registerBytes)
    {
        ulong extended = type.IsSigned ? (ulong)IntegerFunctions.Signed(type, value) : value & IntegerFunctions.Mask(type);
        return registerBytes >= 8 ? extended : extended & ulong.MaxValue >> 64 - 8 * registerBytes;
    }
}
