using System.Text;

namespace Sa2VA.Cli;

/// <summary>Texts of others within a message: short, on one line, and without anything that a terminal would obey.</summary>
internal static class Quoted
{
    private const int LongestValue = 80, LongestLine = 4000;

    /// <summary>A value in quotation marks; a long one is cut.</summary>
    public static string Of(string value) => $"'{Line(value, LongestValue)}'";

    /// <summary>A message as one line.</summary>
    public static string Line(string message) => Line(message, LongestLine);

    private static string Line(string text, int most)
    {
        var line = new StringBuilder(Math.Min(text.Length, most) + 1);
        bool gap = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (line.Length >= most) return line.Append('…').ToString();
            if (rune.Value is '\r' or '\n' or '\t' or ' ')
            {
                gap = true;
                continue;
            }
            if (gap && line.Length > 0) line.Append(' ');
            gap = false;
            // A terminal would act on control characters and those that turn the direction of writing; lone surrogates have no UTF-8.
            bool acts = Rune.IsControl(rune) || rune.Value is (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069);
            line.Append(acts ? "\uFFFD" : rune.ToString());
        }
        return line.ToString();
    }
}
