using System.Text;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The printable characters that stand for the 256 bytes in byte-level vocabularies: printable Latin-1 as is, the rest from U+0100 on.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharOf = new char[256];
    private static readonly short[] ByteOf = new short[0x144];

    static ByteAlphabet()
    {
        Array.Fill(ByteOf, (short)-1);
        int spare = 0x100;
        for (int b = 0; b < 256; b++)
        {
            CharOf[b] = b is >= 0x21 and <= 0x7E or >= 0xA1 and <= 0xAC or >= 0xAE ? (char)b : (char)spare++;
            ByteOf[CharOf[b]] = (short)b;
        }
    }

    public static char ToChar(byte value) => CharOf[value];

    /// <summary>The bytes that a token stands for; a token with a character outside the alphabet stands for its own UTF-8.</summary>
    public static byte[] ToBytes(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
        {
            if (token[i] >= ByteOf.Length || ByteOf[token[i]] < 0) return Encoding.UTF8.GetBytes(token);
            bytes[i] = (byte)ByteOf[token[i]];
        }

        return bytes;
    }
}
