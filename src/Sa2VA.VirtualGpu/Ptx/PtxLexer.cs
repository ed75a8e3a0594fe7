namespace Sa2VA.VirtualGpu.Ptx;

internal readonly record struct PtxToken(string Text, int Line)
{
    public bool IsWord => Text.Length > 0 && PtxLexer.IsWord(Text[0]);
}

/// <summary>Splits PTX into words (names with their dots, directives, numbers), strings and single signs; comments fall away.</summary>
internal static class PtxLexer
{
    public static List<PtxToken> Read(string text)
    {
        var tokens = new List<PtxToken>();
        int line = 1, at = 0;
        while (at < text.Length)
        {
            char c = text[at];
            if (c == '\n') line++;
            if (c is '\n' or ' ' or '\t' or '\r')
            {
                at++;
            }
            else if (text.AsSpan(at).StartsWith("//"))
            {
                int end = text.IndexOf('\n', at);
                at = end < 0 ? text.Length : end;
            }
            else if (text.AsSpan(at).StartsWith("/*"))
            {
                int end = text.IndexOf("*/", at + 2, StringComparison.Ordinal);
                if (end < 0) throw new PtxException("a comment has no end", line);
                line += text.AsSpan(at, end - at).Count('\n');
                at = end + 2;
            }
            else if (c == '"')
            {
                int end = text.AsSpan(at + 1).IndexOfAny('"', '\n');
                if (end < 0 || text[at + 1 + end] == '\n') throw new PtxException("a string has no end", line);
                tokens.Add(new(text.Substring(at, end + 2), line));
                at += end + 2;
            }
            else if (IsWord(c))
            {
                int begin = at;
                while (at < text.Length && (IsWord(text[at]) || IsScope(text, at))) at += text[at] == ':' ? 2 : 1;
                tokens.Add(new(text[begin..at], line));
            }
            else
            {
                if (c is < ' ' or > '~') throw new PtxException($"unexpected character U+{(int)c:X4}", line);
                tokens.Add(new(c.ToString(), line));
                at++;
            }
        }
        return tokens;
    }

    public static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '$' or '%' or '.';

    /// <summary>The two colons inside <c>shared::cta</c>; a label's colon stands alone.</summary>
    private static bool IsScope(string text, int at) =>
        text[at] == ':' && at + 2 < text.Length && text[at + 1] == ':' && IsWord(text[at + 2]);
}
