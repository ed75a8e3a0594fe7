using System.Text;

namespace Sa2VA.Engine.Language;

/// <summary>
/// Looks for strings that end an answer, in text that comes in pieces. What may be the beginning of one is held back until it is certain,
/// so nobody is shown a part of a string that then is complete.
/// </summary>
/// <param name="strings">Each at least one character.</param>
internal sealed class StopStrings(IReadOnlyList<string> strings)
{
    private readonly StringBuilder _held = new();

    /// <summary>True once one of them is complete. It and what follows are never given.</summary>
    public bool IsFound { get; private set; }

    /// <summary>Characters given so far.</summary>
    public int Given { get; private set; }

    /// <summary>Takes a piece and returns what of the text is certain now; perhaps nothing.</summary>
    public string Push(string piece)
    {
        if (IsFound) return "";
        foreach (char c in piece)
        {
            _held.Append(c);
            // Of those that end here, the one that begins first.
            int longest = 0;
            foreach (string s in strings)
                if (s.Length > longest && EndsWith(s, s.Length)) longest = s.Length;
            if (longest == 0) continue;
            IsFound = true;
            _held.Length -= longest;
            return Take(_held.Length);
        }
        return Take(_held.Length - Beginning());
    }

    /// <summary>The rest, when nothing follows.</summary>
    public string End() => Take(_held.Length);

    /// <summary>Characters at the end that may be the beginning of a string, the most of them.</summary>
    private int Beginning()
    {
        int most = 0;
        foreach (string s in strings)
            for (int length = Math.Min(s.Length - 1, _held.Length); length > most; length--)
                if (EndsWith(s, length)) most = length;
        return most;
    }

    private bool EndsWith(string s, int length)
    {
        if (length > _held.Length) return false;
        for (int i = 0; i < length; i++)
            if (_held[_held.Length - length + i] != s[i]) return false;
        return true;
    }

    private string Take(int count)
    {
        if (count == 0) return "";
        string text = _held.ToString(0, count);
        _held.Remove(0, count);
        Given += count;
        return text;
    }
}
