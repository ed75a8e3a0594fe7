using System.Globalization;
using Spectre.Console;

namespace Sa2VA.Cli;

/// <summary>
/// Reads a line that a person types, with the keys that shells have, and what was typed before. Of a line that is longer than the terminal
/// is wide the part around the cursor is seen. Nothing is written that a terminal has to understand but the return to its left edge.
/// </summary>
/// <param name="readKey">Waits for a key; it is not echoed.</param>
/// <param name="output">The terminal.</param>
/// <param name="columns">Its width, which may change.</param>
internal sealed class LineEditor(Func<ConsoleKeyInfo> readKey, TextWriter output, Func<int> columns)
{
    private readonly List<string> _history = [];
    private readonly Lock _line = new();
    private string _prompt = "", _text = "", _draft = "";
    private int _cursor, _shown, _entry;
    private bool _isReading;

    /// <summary>Reads a line.</summary>
    /// <param name="prompt">What stands in front of it.</param>
    /// <returns>Null at the end of the input: Ctrl+D on an empty line.</returns>
    public string? Read(string prompt)
    {
        lock (_line)
        {
            (_prompt, _isReading) = (prompt, true);
            Begin();
        }
        while (true)
        {
            ConsoleKeyInfo key = readKey();
            lock (_line)
            {
                bool isEnd = IsControl(key, ConsoleKey.D, 'd') && _text.Length == 0;
                if (isEnd || key.Key == ConsoleKey.Enter || key.KeyChar is '\r' or '\n')
                {
                    _isReading = false;
                    // All of it can be read above the answer, as far as it fits.
                    _cursor = 0;
                    Draw();
                    output.WriteLine();
                    if (!string.IsNullOrWhiteSpace(_text) && (_history.Count == 0 || _history[^1] != _text)) _history.Add(_text);
                    return isEnd ? null : _text;
                }
                Press(key);
                Draw();
            }
        }
    }

    /// <summary>
    /// Ctrl+C, on whatever thread it is told: what was being typed is forgotten. Where no line is read, nothing happens.
    /// </summary>
    /// <param name="note">What is told if nothing was typed, before the line begins anew; null to leave it as it is then.</param>
    /// <returns>False if nothing was typed.</returns>
    public bool Interrupt(string? note)
    {
        lock (_line)
        {
            if (!_isReading) return true;
            bool isTyped = _text.Length > 0;
            if (!isTyped && note is null) return false;
            output.WriteLine();
            if (!isTyped) output.WriteLine(note);
            Begin();
            return isTyped;
        }
    }

    private void Begin()
    {
        (_text, _draft, _cursor, _shown, _entry) = ("", "", 0, 0, _history.Count);
        Draw();
    }

    private void Press(ConsoleKeyInfo key)
    {
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow when key.Modifiers.HasFlag(ConsoleModifiers.Control): _cursor = WordBefore(); break;
            case ConsoleKey.RightArrow when key.Modifiers.HasFlag(ConsoleModifiers.Control): _cursor = WordBehind(); break;
            case ConsoleKey.LeftArrow: _cursor = Before(); break;
            case ConsoleKey.RightArrow: _cursor = Behind(); break;
            case ConsoleKey.Home: _cursor = 0; break;
            case ConsoleKey.End: _cursor = _text.Length; break;
            case ConsoleKey.UpArrow: Recall(_entry - 1); break;
            case ConsoleKey.DownArrow: Recall(_entry + 1); break;
            case ConsoleKey.Backspace: Remove(Before(), _cursor); break;
            case ConsoleKey.Delete: Remove(_cursor, Behind()); break;
            default: PressLetter(key); break;
        }
    }

    private void PressLetter(ConsoleKeyInfo key)
    {
        if (IsControl(key, ConsoleKey.A, 'a')) _cursor = 0;
        else if (IsControl(key, ConsoleKey.E, 'e')) _cursor = _text.Length;
        else if (IsControl(key, ConsoleKey.B, 'b')) _cursor = Before();
        else if (IsControl(key, ConsoleKey.F, 'f')) _cursor = Behind();
        else if (IsControl(key, ConsoleKey.P, 'p')) Recall(_entry - 1);
        else if (IsControl(key, ConsoleKey.N, 'n')) Recall(_entry + 1);
        else if (IsControl(key, ConsoleKey.D, 'd')) Remove(_cursor, Behind());
        else if (IsControl(key, ConsoleKey.H, 'h') || key.KeyChar == '\u007F') Remove(Before(), _cursor);
        else if (IsControl(key, ConsoleKey.K, 'k')) Remove(_cursor, _text.Length);
        else if (IsControl(key, ConsoleKey.U, 'u')) Remove(0, _cursor);
        else if (IsControl(key, ConsoleKey.W, 'w')) Remove(WordBefore(), _cursor);
        else if (key.KeyChar == '\t') Insert(' ');
        else if (!char.IsControl(key.KeyChar)) Insert(key.KeyChar);
    }

    private static bool IsControl(ConsoleKeyInfo key, ConsoleKey which, char letter) =>
        key.KeyChar == (char)(letter - 'a' + 1) && key.KeyChar is not ('\t' or '\r' or '\n')
        || (key.Key == which && key.Modifiers == ConsoleModifiers.Control);

    private void Insert(char c)
    {
        if (_text.Length >= QuestionReader.Longest) return;
        _text = _text.Insert(_cursor++, c.ToString());
    }

    private void Remove(int from, int to) => (_text, _cursor) = (_text.Remove(from, to - from), from);

    /// <summary>Takes up a line of before; what was being typed is the newest of them.</summary>
    private void Recall(int entry)
    {
        if (entry < 0 || entry > _history.Count) return;
        if (_entry == _history.Count) _draft = _text;
        _entry = entry;
        _text = entry == _history.Count ? _draft : _history[entry];
        _cursor = _text.Length;
    }

    private int Behind() =>
        _cursor == _text.Length ? _cursor : _cursor + StringInfo.GetNextTextElementLength(_text.AsSpan(_cursor));

    // What is one sign to a reader is one step, however many characters it has.
    private int Before()
    {
        int at = 0;
        while (at + StringInfo.GetNextTextElementLength(_text.AsSpan(at)) is var next && next < _cursor) at = next;
        return _cursor == 0 ? 0 : at;
    }

    private int WordBefore()
    {
        int at = _cursor;
        while (at > 0 && char.IsWhiteSpace(_text[at - 1])) at--;
        while (at > 0 && !char.IsWhiteSpace(_text[at - 1])) at--;
        return at;
    }

    private int WordBehind()
    {
        int at = _cursor;
        while (at < _text.Length && char.IsWhiteSpace(_text[at])) at++;
        while (at < _text.Length && !char.IsWhiteSpace(_text[at])) at++;
        return at;
    }

    /// <summary>Writes the line anew and puts the cursor where it belongs by writing up to it.</summary>
    private void Draw()
    {
        int room = Math.Max(8, columns() - 1 - _prompt.GetCellWidth());
        int from = 0;
        while (from < _cursor && _text[from.._cursor].GetCellWidth() >= room)
            from += StringInfo.GetNextTextElementLength(_text.AsSpan(from));
        int to = from;
        while (to < _text.Length)
        {
            int next = to + StringInfo.GetNextTextElementLength(_text.AsSpan(to));
            if (_text[from..next].GetCellWidth() > room) break;
            to = next;
        }
        int width = _prompt.GetCellWidth() + _text[from..to].GetCellWidth();
        output.Write($"\r{_prompt}{_text[from..to]}{new string(' ', Math.Max(0, _shown - width))}\r{_prompt}{_text[from.._cursor]}");
        output.Flush();
        _shown = width;
    }
}
