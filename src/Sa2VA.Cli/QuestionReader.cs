using System.Text;

namespace Sa2VA.Cli;

/// <summary>Questions from standard input, one a line. A line that never ends is refused, not collected.</summary>
internal sealed class QuestionReader(Terminal terminal)
{
    /// <summary>Longest line, in UTF-16 units; no model's context holds as much.</summary>
    internal const int Longest = 1 << 22;

    private const string Prompt = "> ";

    private readonly char[] _buffer = new char[1 << 12];
    private readonly LineEditor? _editor = terminal.ReadKey is { } readKey
        ? new LineEditor(readKey, terminal.Error, () => terminal.Styled.Profile.Width) : null;

    private int _at, _length;

    /// <summary>The next line; null at the end.</summary>
    /// <exception cref="UsageException">The line is too long, or not UTF-8.</exception>
    /// <exception cref="StreamException">Standard input cannot be read.</exception>
    public string? Read()
    {
        string? line = ReadLine();
        return line?.Contains('\uFFFD') == true
            ? throw new UsageException("A question on standard input is not valid UTF-8 (or holds U+FFFD); send it as UTF-8.")
            : line;
    }

    /// <summary>Ctrl+C while a line is read: as <see cref="LineEditor.Interrupt"/>.</summary>
    public bool Interrupt(string? note)
    {
        if (_editor is not null) return _editor.Interrupt(note);
        // Where the system edits lines, it has forgotten what was typed and does not tell whether there was anything.
        if (note is null) return false;
        terminal.Note(Environment.NewLine + note);
        terminal.Error.Write(Prompt);
        return false;
    }

    private string? ReadLine()
    {
        if (_editor is not null) return Attempt(() => _editor.Read(Prompt));
        if (terminal.InputIsTerminal)
        {
            terminal.Error.Write(Prompt);
            return Attempt(terminal.In.ReadLine);
        }
        StringBuilder? line = null;
        while (true)
        {
            if (_at == _length && !Fill()) return line?.ToString().TrimEnd('\r');
            line ??= new StringBuilder();
            ReadOnlySpan<char> rest = _buffer.AsSpan(_at, _length - _at);
            int end = rest.IndexOf('\n');
            ReadOnlySpan<char> part = end < 0 ? rest : rest[..end];
            if (line.Length + part.Length > Longest)
                throw new UsageException($"A question on standard input has more than {Longest} characters; ask a shorter one.");
            line.Append(part);
            _at += end < 0 ? rest.Length : end + 1;
            if (end >= 0) return line.ToString().TrimEnd('\r');
        }
    }

    private bool Fill()
    {
        _length = Attempt(() => terminal.In.Read(_buffer, 0, _buffer.Length));
        _at = 0;
        return _length > 0;
    }

    private static T Attempt<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (StreamException.IsFailure(e))
        {
            throw new StreamException($"Standard input cannot be read: {StreamException.Reason(e)}. Ask with --prompt TEXT.", e);
        }
    }
}
