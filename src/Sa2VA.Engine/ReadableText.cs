using System.Text;

namespace Sa2VA.Engine;

/// <summary>
/// Makes an answer readable as it comes, whatever pieces it is cut into: without phrase tags, without the stop word that ends it, runs of
/// spaces as one, no white space at the ends. [SEG] stays.
/// </summary>
/// <param name="stopWords">Markers that may end the answer; none may be the beginning of another.</param>
internal sealed class ReadableText(IReadOnlyList<string> stopWords)
{
    /// <summary>Tags of a phrase that the answer names.</summary>
    public const string PhraseBegin = "<p>", PhraseEnd = "</p>";

    private readonly StringBuilder _held = new(), _waiting = new(), _ready = new();
    private bool _begun;
    private char _last;

    /// <summary>Reads a whole answer.</summary>
    public static string Of(string answer, IReadOnlyList<string> stopWords)
    {
        var text = new ReadableText(stopWords);
        return text.Push(answer) + text.End();
    }

    /// <summary>Takes a piece and returns what of the text is certain now; perhaps nothing.</summary>
    public string Push(string piece)
    {
        foreach (char c in piece)
        {
            _held.Append(c);
            Settle();
        }
        return Take();
    }

    /// <summary>The rest, when nothing follows.</summary>
    public string End()
    {
        // What is held is the beginning of a marker that never came, and so holds no other.
        for (int i = 0; i < _held.Length; i++) Show(_held[i]);
        _held.Clear();
        _waiting.Clear();
        return Take();
    }

    /// <summary>Lets go of what is held, until it is nothing or may still become a marker.</summary>
    private void Settle()
    {
        while (_held.Length > 0)
        {
            if (IsHeld(PhraseBegin) || IsHeld(PhraseEnd))
            {
                _held.Clear();
                return;
            }
            foreach (string word in stopWords)
            {
                if (!IsHeld(word)) continue;
                // Only at the very end is it no text.
                _waiting.Append(word);
                _last = word[^1];
                _held.Clear();
                return;
            }
            if (MayBecome(PhraseBegin) || MayBecome(PhraseEnd) || stopWords.Any(MayBecome)) return;
            Show(_held[0]);
            _held.Remove(0, 1);
        }
    }

    private bool IsHeld(string marker) => marker.Length == _held.Length && MayBecome(marker);

    private bool MayBecome(string marker)
    {
        if (marker.Length < _held.Length) return false;
        for (int i = 0; i < _held.Length; i++)
            if (_held[i] != marker[i]) return false;
        return true;
    }

    private void Show(char c)
    {
        if (char.IsWhiteSpace(c))
        {
            if (c != ' ' || _last != ' ') _waiting.Append(c);
        }
        else
        {
            if (_begun) _ready.Append(_waiting);
            _waiting.Clear();
            _ready.Append(c);
            _begun = true;
        }
        _last = c;
    }

    private string Take()
    {
        if (_ready.Length == 0) return "";
        string text = _ready.ToString();
        _ready.Clear();
        return text;
    }
}
