using System.Globalization;

namespace Sa2VA.VirtualGpu.Ptx;

/// <summary>Literals of PTX: decimal and hexadecimal integers, <c>0f</c> and <c>0d</c> bit patterns of floats.</summary>
internal static class PtxNumber
{
    public static bool TryParse(string text, out ImmediateOperand value)
    {
        value = new(0, ImmediateKind.Integer);
        if (text.Length == 0 || !char.IsAsciiDigit(text[0])) return false;
        string head = text.Length > 1 ? text[..2] : text;
        if (head is "0f" or "0F") return Hex(text[2..], 8, ImmediateKind.Float32, ref value);
        if (head is "0d" or "0D") return Hex(text[2..], 16, ImmediateKind.Float64, ref value);
        string digits = text.EndsWith('U') ? text[..^1] : text;
        if (head is "0x" or "0X") return Hex(digits[2..], 0, ImmediateKind.Integer, ref value);
        // A leading zero would mean octal: compilers do not write it, so it is refused rather than misread.
        if (digits.Length > 1 && digits[0] == '0') return false;
        if (!ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong bits)) return false;
        value = new(bits, ImmediateKind.Integer);
        return true;
    }

    private static bool Hex(string digits, int exactly, ImmediateKind kind, ref ImmediateOperand value)
    {
        if (exactly != 0 && digits.Length != exactly) return false;
        if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong bits)) return false;
        value = new(bits, kind);
        return true;
    }
}
