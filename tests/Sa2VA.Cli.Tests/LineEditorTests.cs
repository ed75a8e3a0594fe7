namespace Sa2VA.Cli.Tests;

/// <summary>What a person types in a chat.</summary>
public class LineEditorTests
{
    [Theory]
    [InlineData("hello", "hello")]
    [InlineData("hllo<Home><Right>e<End>!", "hello!")]
    [InlineData("abc<Left><Left><Backspace>x<Delete>", "xc")]
    [InlineData("one two<^W>three<^A>0 <^E>.", "0 one three.")]
    [InlineData("one two<^A><^K>x<^U>y", "y")]
    [InlineData("one two<^Left><^Left>a <^Right>b", "a oneb two")]
    [InlineData("ab<^D><Left><^D>", "a")]
    [InlineData("<Left><Right><Backspace><Delete><^W><^K>x", "x")]
    // Signs of several characters, and those that are two columns wide, are one step each.
    [InlineData("e\u0301日😀<Left>x<Left><Left><Backspace>", "日x😀")]
    public void Keys_edit_a_line(string keys, string line)
    {
        var screen = new Screen(40);
        Assert.Equal(line, new LineEditor(Keys(keys + "<Enter>"), screen, () => 40).Read("> "));
        Assert.Equal("> " + line, screen.Line);
    }

    [Fact]
    public void Earlier_lines_come_back_and_what_was_being_typed_is_kept()
    {
        var screen = new Screen(40);
        var editor = new LineEditor(Keys("first<Enter>second<Enter>second<Enter>draft<Up><Up><Up>!<Enter><Up><Up><Down><Down>x<Enter>"
            + "dr<Up><Down>aft<Enter> <Enter><Up><Enter><^D>"), screen, () => 40);
        Assert.Equal(["first", "second", "second", "first!", "x", "draft", " ", "draft", null],
            Enumerable.Range(0, 9).Select(_ => editor.Read("> ")));
    }

    [Fact]
    public void A_line_longer_than_the_terminal_shows_what_is_around_the_cursor()
    {
        var screen = new Screen(20);
        var editor = new LineEditor(Keys("0123456789abcdefghijklmnopqrstuvwxyz<Enter>"), screen, () => 20);
        Assert.Equal("0123456789abcdefghijklmnopqrstuvwxyz", editor.Read("> "));
        Assert.Equal("> 0123456789abcdefg", screen.Line);
        Assert.True(screen.Widest < 20);
        // The end was seen while it was typed.
        Assert.Contains("uvwxyz", screen.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_chat_in_a_terminal_is_typed_and_brings_questions_back()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, error, TestContext.Current.CancellationToken, inputIsTerminal: true)
        {
            ReadKey = Keys("Hallo<Left><Left><Left><Backspace>e<Enter>/nonsense<Enter><Up><Up><Enter>/new<Enter><^D>"),
        };
        Assert.Equal(0, Program.Run(["chat", "--model", CliRun.Toy], terminal));
        string[] lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal("Hello! I can segment shapes in images and videos.", lines[0]);
        Assert.Contains("There is no command /nonsense", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Ctrl_c_forgets_what_is_typed_and_a_second_one_on_an_empty_line_ends()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var cancel = new CancellationTokenSource();
        Func<ConsoleKeyInfo> keys = Keys("wrong<^C>Hello<Enter><^C>/new<Enter>Hello<Enter><^C>x<^C><^C><^C><Enter>never<Enter>");
        Terminal? terminal = null;
        terminal = new Terminal(TextReader.Null, output, error, cancel.Token, inputIsTerminal: true) { ReadKey = Next };
        Assert.Equal(130, Program.Run(["chat", "--model", CliRun.Toy], terminal));
        Assert.Equal(Enumerable.Repeat("Hello! I can segment shapes in images and videos.", 2),
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        Assert.Equal(3, error.ToString().Split("Ctrl+C once more ends the chat").Length - 1);
        Assert.Null(terminal.Interrupt);

        // As a signal comes, while a key is waited for.
        ConsoleKeyInfo Next()
        {
            while (keys() is var key)
            {
                if (key.Key != ConsoleKey.C || key.Modifiers != ConsoleModifiers.Control) return key;
                if (terminal!.Interrupt?.Invoke() != true) cancel.Cancel();
            }
            throw new InvalidOperationException("There are keys without end.");
        }
    }

    [Fact]
    public void Ctrl_c_between_two_lines_draws_nothing()
    {
        var screen = new Screen(40);
        var editor = new LineEditor(Keys("a<Enter>b<Enter>"), screen, () => 40);
        Assert.True(editor.Interrupt("note"));
        Assert.Equal("a", editor.Read("> "));
        Assert.True(editor.Interrupt("note"));
        Assert.DoesNotContain("note", screen.Text, StringComparison.Ordinal);
        Assert.Equal("b", editor.Read("> "));
    }

    /// <summary>Gives keys that are written as text, those with names in angle brackets, ^ for Ctrl.</summary>
    private static Func<ConsoleKeyInfo> Keys(string text)
    {
        var keys = new Queue<ConsoleKeyInfo>();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '<')
            {
                keys.Enqueue(new ConsoleKeyInfo(text[i], ConsoleKey.None, false, false, false));
                continue;
            }
            int end = text.IndexOf('>', i);
            string name = text[(i + 1)..end];
            bool control = name[0] == '^';
            if (control) name = name[1..];
            ConsoleKey key = Enum.Parse<ConsoleKey>(name is "Left" or "Right" or "Up" or "Down" ? name + "Arrow" : name);
            char letter = name.Length == 1 ? (char)(name[0] - 'A' + 1) : name == "Enter" ? '\r' : '\0';
            keys.Enqueue(new ConsoleKeyInfo(letter, key, false, false, control));
            i = end;
        }
        return keys.Dequeue;
    }

    /// <summary>A terminal that knows the return to the left edge, and that some signs take two columns or none.</summary>
    private sealed class Screen(int columns) : StringWriter
    {
        private string[] _cells = [.. Enumerable.Repeat("", columns)];
        private int _at;

        /// <summary>The latest line that something was written on.</summary>
        public string Line { get; private set; } = "";

        public int Widest { get; private set; }

        public string Text => ToString();

        public override void Write(string? value)
        {
            base.Write(value);
            foreach (System.Text.Rune sign in value!.EnumerateRunes())
            {
                if (sign.Value == '\r') _at = 0;
                else if (sign.Value == 0x301) _cells[_at - 1] += sign;
                else
                {
                    int width = sign.Value >= 0x3000 ? 2 : 1;
                    _cells[_at] = sign.ToString();
                    if (width == 2) _cells[_at + 1] = "";
                    _at += width;
                }
                Widest = Math.Max(Widest, _at);
            }
            Line = string.Concat(_cells).TrimEnd();
        }

        public override void WriteLine()
        {
            base.WriteLine();
            _cells = [.. Enumerable.Repeat("", _cells.Length)];
            _at = 0;
        }
    }
}
