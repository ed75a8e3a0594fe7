using System.Numerics;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Integer and bit operations of one lane as the PTX manual defines them, on values kept zero-extended.</summary>
internal static class IntegerFunctions
{
    public static ulong Mask(DataType type) => ulong.MaxValue >> 64 - 8 * type.Bytes;

    public static long Signed(DataType type, ulong value)
    {
        int unused = 64 - 8 * type.Bytes;
        return (long)(value << unused) >> unused;
    }

    /// <summary>The operation of that name on that type, or null if there is none.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Find(string name, DataType type)
    {
        ulong mask = Mask(type);
        int bits = 8 * type.Bytes;
        bool signed = type.IsSigned;
        long S(ulong v) => Signed(type, v);
        ulong High(ulong a, ulong b) => (signed
            ? (ulong)(long)((Int128)S(a) * S(b) >> bits)
            : (ulong)((UInt128)a * b >> bits)) & mask;
        return name switch
        {
            "add" => (a, b, _) => a + b & mask,
            "sub" => (a, b, _) => a - b & mask,
            "mul.lo" => (a, b, _) => a * b & mask,
            "mul.hi" => (a, b, _) => High(a, b),
            "mad.lo" => (a, b, c) => a * b + c & mask,
            "mad.hi" => (a, b, c) => High(a, b) + c & mask,
            // Widening results take twice the bits.
            "mul.wide" when signed => (a, b, _) => (ulong)(S(a) * S(b)) & (bits == 16 ? uint.MaxValue : ulong.MaxValue),
            "mul.wide" => (a, b, _) => a * b,
            "mad.wide" when signed => (a, b, c) => (ulong)(S(a) * S(b)) + c & (bits == 16 ? uint.MaxValue : ulong.MaxValue),
            "mad.wide" => (a, b, c) => a * b + c & (bits == 16 ? uint.MaxValue : ulong.MaxValue),
            // Division by zero is unspecified; cards give all ones.
            "div" when signed => (a, b, _) => (b == 0 ? mask : S(b) == -1 ? 0 - a : (ulong)(S(a) / S(b))) & mask,
            "div" => (a, b, _) => b == 0 ? mask : a / b,
            "rem" when signed => (a, b, _) => (b == 0 ? a : S(b) == -1 ? 0 : (ulong)(S(a) % S(b))) & mask,
            "rem" => (a, b, _) => b == 0 ? a : a % b,
            "min" when signed => (a, b, _) => S(a) < S(b) ? a : b,
            "min" => (a, b, _) => Math.Min(a, b),
            "max" when signed => (a, b, _) => S(a) > S(b) ? a : b,
            "max" => (a, b, _) => Math.Max(a, b),
            "neg" => (a, _, _) => 0 - a & mask,
            "abs" => (a, _, _) => (S(a) < 0 ? 0 - a : a) & mask,
            "and" => (a, b, _) => a & b,
            "or" => (a, b, _) => a | b,
            "xor" => (a, b, _) => a ^ b,
            "not" => (a, _, _) => ~a & mask,
            "shl" => (a, b, _) => (uint)b >= bits ? 0 : a << (int)b & mask,
            "shr" when signed => (a, b, _) => (ulong)(S(a) >> (int)Math.Min((uint)b, bits - 1)) & mask,
            "shr" => (a, b, _) => (uint)b >= bits ? 0 : a >> (int)b,
            "popc" => (a, _, _) => (ulong)BitOperations.PopCount(a),
            "clz" => (a, _, _) => (ulong)(BitOperations.LeadingZeroCount(a) - (64 - bits)),
            "brev" => (a, _, _) => Reverse(a) >> 64 - bits,
            "bfind" when signed => (a, _, _) => Highest(S(a) < 0 ? ~a & mask : a),
            "bfind" => (a, _, _) => Highest(a),
            "bfind.shiftamt" when signed => (a, _, _) => Shift(Highest(S(a) < 0 ? ~a & mask : a), bits),
            "bfind.shiftamt" => (a, _, _) => Shift(Highest(a), bits),
            "sad" when signed => (a, b, c) => (ulong)Math.Abs(S(a) - S(b)) + c & mask,
            "sad" => (a, b, c) => Math.Max(a, b) - Math.Min(a, b) + c & mask,
            "cnot" => (a, _, _) => a == 0 ? 1u : 0,
            "bfe" => (a, b, c) => Extract(a, (int)b & 255, (int)c & 255, bits, signed) & mask,
            "sel" => (a, b, c) => c != 0 ? a : b,
            _ => null,
        };
    }

    private static ulong Reverse(ulong a)
    {
        ulong r = 0;
        for (int k = 0; k < 64; k++) r |= (a >> k & 1) << 63 - k;
        return r;
    }

    private static ulong Highest(ulong a) => a == 0 ? uint.MaxValue : (ulong)(63 - BitOperations.LeadingZeroCount(a));

    private static ulong Shift(ulong highest, int bits) => highest == uint.MaxValue ? highest : (ulong)bits - 1 - highest;

    private static ulong Extract(ulong a, int position, int length, int bits, bool signed)
    {
        bool fill = signed && length > 0 && (a >> Math.Min(position + length - 1, bits - 1) & 1) != 0;
        ulong r = 0;
        for (int k = 0; k < bits; k++)
        {
            bool bit = k < length && position + k < bits ? (a >> position + k & 1) != 0 : fill;
            if (bit) r |= 1ul << k;
        }
        return r;
    }

    /// <summary>bfi: the low bits of a over those of b from a position on.</summary>
    public static ulong Insert(ulong a, ulong b, int position, int length, int bits)
    {
        for (int k = 0; k < length && position + k < bits; k++)
            b = b & ~(1ul << position + k) | (a >> k & 1) << position + k;
        return b;
    }

    /// <summary>dp4a: the products of four bytes each, and a sum.</summary>
    public static ulong BytesProduct(ulong a, ulong b, ulong sum, bool signedA, bool signedB)
    {
        int total = (int)sum;
        for (int k = 0; k < 4; k++)
        {
            byte x = (byte)(a >> 8 * k), y = (byte)(b >> 8 * k);
            total += (signedA ? (sbyte)x : x) * (signedB ? (sbyte)y : y);
        }
        return (uint)total;
    }

    /// <summary>prmt without a mode: four bytes chosen from the eight of b:a, or their signs.</summary>
    public static ulong Permute(ulong a, ulong b, ulong selector)
    {
        ulong bytes = a | b << 32, r = 0;
        for (int k = 0; k < 4; k++)
        {
            int s = (int)(selector >> 4 * k) & 15;
            ulong value = bytes >> 8 * (s & 7) & 255;
            if ((s & 8) != 0) value = (value & 128) != 0 ? 255u : 0;
            r |= value << 8 * k;
        }
        return r;
    }

    /// <summary>lop3: bit by bit the entry of a truth table that a, b and c select.</summary>
    public static ulong Logic3(ulong a, ulong b, ulong c, int table)
    {
        ulong r = 0;
        for (int k = 0; k < 8; k++)
            if ((table >> k & 1) != 0) r |= ((k & 4) != 0 ? a : ~a) & ((k & 2) != 0 ? b : ~b) & ((k & 1) != 0 ? c : ~c);
        return (uint)r;
    }

    /// <summary>shf: 64 bits b:a shifted; the high half to the left, the low half to the right.</summary>
    public static ulong Funnel(ulong a, ulong b, ulong c, bool left, bool clamp)
    {
        ulong both = a | b << 32;
        int n = clamp ? (int)Math.Min(c, 32) : (int)(c & 31);
        return left ? (uint)(both << n >> 32) : (uint)(both >> n);
    }

    /// <summary>Whether a comparison of that name holds between integers; null if there is none.</summary>
    public static Func<ulong, ulong, ulong, ulong>? Comparison(string name, DataType type)
    {
        long S(ulong v) => Signed(type, v);
        bool signed = type.IsSigned;
        return name switch
        {
            "eq" => (a, b, _) => a == b ? 1u : 0,
            "ne" => (a, b, _) => a != b ? 1u : 0,
            "lt" when signed => (a, b, _) => S(a) < S(b) ? 1u : 0,
            "le" when signed => (a, b, _) => S(a) <= S(b) ? 1u : 0,
            "gt" when signed => (a, b, _) => S(a) > S(b) ? 1u : 0,
            "ge" when signed => (a, b, _) => S(a) >= S(b) ? 1u : 0,
            "lt" or "lo" => (a, b, _) => a < b ? 1u : 0,
            "le" or "ls" => (a, b, _) => a <= b ? 1u : 0,
            "gt" or "hi" => (a, b, _) => a > b ? 1u : 0,
            "ge" or "hs" => (a, b, _) => a >= b ? 1u : 0,
            _ => null,
        };
    }
}
