using System.Text;

namespace Sa2VA.Cli;

/// <summary>
/// Makes a streamed answer readable as it comes: special tokens (<c>&lt;|im_end|&gt;</c>, <c>&lt;p&gt;</c>, <c>&lt;/p&gt;</c>, …) are left out,
/// whether they arrive whole or, as some templates spell them, in pieces. [SEG] stays.
/// </summary>
internal sealed class AnswerStream
{
    private const int LongestMarker = 32;
    private readonly StringBuilder _held = new();
    private bool _written;

    /// <summary>Takes a piece and returns what of the text can be shown now.</summary>
    public string Push(string piece)
    {
        var ready = new StringBuilder();
        foreach (char c in piece)
        {
            if (_held.Length == 0 && c != '<')
            {
                ready.Append(c);
                continue;
            }
            if (c == '<')
            {
                ready.Append(_held);
                _held.Clear();
            }
            _held.Append(c);
            string held = _held.ToString();
            if (IsMarker(held)) _held.Clear();
            else if (!MayBecomeMarker(held))
            {
                ready.Append(held);
                _held.Clear();
            }
        }
        return Shown(ready.ToString());
    }

    /// <summary>The rest, when nothing follows.</summary>
    public string End()
    {
        string rest = _held.ToString();
        _held.Clear();
        return Shown(rest);
    }

    private string Shown(string text)
    {
        // Answers may begin with the space of their first word.
        if (!_written) text = text.TrimStart();
        _written |= text.Length > 0;
        return text;
    }

    private static bool IsMarker(string s) => s is "<p>" or "</p>" or "<s>" or "</s>" || (s.Length > 4 && s.StartsWith("<|", StringComparison.Ordinal) && s.EndsWith("|>", StringComparison.Ordinal));

    private static bool MayBecomeMarker(string s)
    {
        if (s.Length > LongestMarker) return false;
        if ("<p>".StartsWith(s, StringComparison.Ordinal) || "</p>".StartsWith(s, StringComparison.Ordinal)
            || "<s>".StartsWith(s, StringComparison.Ordinal) || "</s>".StartsWith(s, StringComparison.Ordinal)) return true;
        if (!s.StartsWith("<|", StringComparison.Ordinal)) return false;
        string name = s[2..].EndsWith('|') ? s[2..^1] : s[2..];
        return name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
    }
}
