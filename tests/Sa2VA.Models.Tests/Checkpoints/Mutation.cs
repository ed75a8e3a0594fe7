using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Sa2VA.Models.Tests;

/// <summary>One to four pieces of damage to a file; which ones follows from a seed, so that a failure is repeated by its number.</summary>
internal static partial class Mutation
{
    private static readonly string[] Values =
    [
        "-1", "0", "1", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e9", "1e999",
            "0.5", "-0", "00",
        "null", "true", "false", "[]", "{}", "\"\"", "\"4\"", "[[[[[[]]]]]]", "NaN",
    ];

    /// <summary>The damaged copy of a file.</summary>
    /// <param name="sound">The file.</param>
    /// <param name="seed">Which damage.</param>
    /// <param name="textStart">Where its text begins; past the end for a binary file.</param>
    /// <param name="textLength">How long the text is, given the file; what follows it is kept.</param>
    public static byte[] Apply(byte[] sound, int seed, int textStart, Func<byte[], int> textLength)
    {
        var random = new Random(seed);
        byte[] bytes = sound;
        for (int n = random.Next(1, 5); n > 0; n--)
        {
            int length = bytes.Length < textStart ? 0 : textLength(bytes);
            bytes = length > 0 && random.Next(3) > 0 ? Text(bytes, random, textStart, length) : Raw(bytes, random);
        }
        return bytes;
    }

    private static byte[] Raw(byte[] bytes, Random random)
    {
        if (bytes.Length == 0) return [(byte)random.Next(256)];
        int at = random.Next(bytes.Length), span = Math.Min(bytes.Length - at, 1 << random.Next(7));
        byte[] changed = [.. bytes];
        switch (random.Next(7))
        {
            case 0: // Bits, length fields included.
                changed[at] ^= (byte)random.Next(1, 256);
                return changed;
            case 1: // A few of the first bytes, where formats keep their lengths.
                changed[random.Next(Math.Min(12, bytes.Length))] = (byte)random.Next(256);
                return changed;
            case 2:
                return bytes[..at];
            case 3: // A part twice.
                return [.. bytes[..(at + span)], .. bytes[at..]];
            case 4: // A part gone.
                return [.. bytes[..at], .. bytes[(at + span)..]];
            case 5: // Noise.
                random.NextBytes(changed.AsSpan(at, span));
                return changed;
            default: // A length that promises much.
                if (at + 8 > bytes.Length) return [.. bytes, 0];
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), random.Next(2) == 0 ? random.NextInt64() : -random.Next());
                return changed;
        }
    }

    private static byte[] Text(byte[] bytes, Random random, int start, int length)
    {
        string text = Encoding.Latin1.GetString(bytes, start, length);
        string changed = random.Next(8) switch
        {
            0 => Replace(Number(), _ => Values[random.Next(Values.Length)]),
            1 => Replace(Number(), m => m.Value.Length > 9 ? "1"
                : (long.Parse(m.Value, CultureInfo.InvariantCulture) + random.Next(5) - 2).ToString(CultureInfo.InvariantCulture)),
            2 => Replace(Word(), _ => Values[random.Next(Values.Length)]),
            3 => Replace(Key(), _ => Key().Matches(text)[random.Next(Key().Count(text))].Value), // Fields twice.
            4 => Replace(Word(), _ => Word().Matches(text)[random.Next(Word().Count(text))].Value), // Texts twice.
            5 => Replace(Number(), _ => Number().Matches(text)[random.Next(Number().Count(text))].Value), // Swapped offsets, ids twice.
            6 => Lines(text.Split('\n')),
            _ =>
            text.Insert(random.Next(text.Length + 1),
            ((string[])["{", "}", "[", "]", ",", ":", "\"", "\\ud800", "\\u0000", "\n", " ", "é"])[random.Next(12)]),
        };
        byte[] latin = Encoding.Latin1.GetBytes(changed);
        byte[] whole = [.. bytes[..start], .. latin, .. bytes[(start + length)..]];
        // The length field of a safetensors file follows, or the header would never be reached.
        if (start == 8 && whole.Length >= 8) BinaryPrimitives.WriteInt64LittleEndian(whole, latin.Length);
        return whole;

        string Replace(Regex what, Func<Match, string> with)
        {
            MatchCollection matches = what.Matches(text);
            if (matches.Count == 0) return text + " ";
            Match m = matches[random.Next(matches.Count)];
            return text[..m.Index] + with(m) + text[(m.Index + m.Length)..];
        }

        string Lines(string[] lines)
        {
            int a = random.Next(lines.Length), b = random.Next(lines.Length);
            (lines[a], lines[b]) = (lines[b], random.Next(2) == 0 ? lines[b] : lines[a]);
            return string.Join('\n', lines);
        }
    }

    [GeneratedRegex(@"(?<![\w""])-?\d+(?![\w.""])")]
    private static partial Regex Number();

    [GeneratedRegex(@"""[^""]*""(?!:)")]
    private static partial Regex Word();

    [GeneratedRegex(@"""[^""]*"":")]
    private static partial Regex Key();
}
