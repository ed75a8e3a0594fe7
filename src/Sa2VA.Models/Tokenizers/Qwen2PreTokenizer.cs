using System.Globalization;
using System.Text;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// Splits text as the pattern of the Qwen2 family does, on code points. .NET's own <c>Regex</c> works on UTF-16 units, where no letter or
/// digit outside the basic plane is one; so the pattern's seven alternatives are spelt out here, in its order.
/// </summary>
internal static class Qwen2PreTokenizer
{
    /// <summary>The one pattern that this class implements, as tokenizer.json writes it.</summary>
    public const string Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>The end of the piece that starts at <paramref name="start"/>, always beyond it. The text must be valid UTF-16.</summary>
    public static int PieceEnd(ReadOnlySpan<char> text, int start)
    {
        Kind kind = KindAt(text, start, out int next);
        if (text[start] == '\'' && ContractionLength(text[(start + 1)..]) is > 0 and int length) return start + 1 + length;
        if (kind == Kind.Letter) return SkipLetters(text, next);
        if (kind == Kind.Number) return next;
        if (text[start] is not ('\r' or '\n') && next < text.Length && KindAt(text, next, out int second) == Kind.Letter)
            return SkipLetters(text, second);
        if (kind == Kind.Other) return PunctuationEnd(text, next);
        if (text[start] == ' ' && next < text.Length && KindAt(text, next, out second) == Kind.Other) return PunctuationEnd(text, second);
        return WhiteSpaceEnd(text, start);
    }

    private static int ContractionLength(ReadOnlySpan<char> rest)
    {
        if (rest.IsEmpty) return 0;
        // Case-insensitive matching folds the long s (U+017F) to s.
        if ((rest[0] | 0x20) is 's' or 't' or 'm' or 'd' || rest[0] == '\u017F') return 1;
        if (rest.Length < 2) return 0;
        return ((char)(rest[0] | 0x20), (char)(rest[1] | 0x20)) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 2 : 0;
    }

    private static int SkipLetters(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && KindAt(text, at, out int next) == Kind.Letter) at = next;
        return at;
    }

    private static int PunctuationEnd(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && KindAt(text, at, out int next) == Kind.Other) at = next;
        while (at < text.Length && text[at] is '\r' or '\n') at++;
        return at;
    }

    private static int WhiteSpaceEnd(ReadOnlySpan<char> text, int start)
    {
        int end = start, afterLineBreak = -1;
        for (; end < text.Length && char.IsWhiteSpace(text[end]); end++)
            if (text[end] is '\r' or '\n') afterLineBreak = end + 1;
        if (afterLineBreak >= 0) return afterLineBreak;
        return end == text.Length || end == start + 1 ? end : end - 1;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int at, out int next)
    {
        Rune.DecodeFromUtf16(text[at..], out Rune rune, out int units);
        next = at + units;
        switch (Rune.GetUnicodeCategory(rune))
        {
            case UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter:
                return Kind.Letter;
            case UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber:
                return Kind.Number;
            default:
                return Rune.IsWhiteSpace(rune) ? Kind.WhiteSpace : Kind.Other;
        }
    }

    private enum Kind
    {
        Letter,
        Number,
        WhiteSpace,
        Other,
    }
}
