using Sa2VA.Cli.Live;
using Spectre.Console;

namespace Sa2VA.Cli;

/// <summary>Where a command reads and writes. Results go to <see cref="Out"/>, everything else to <see cref="Error"/>.</summary>
internal sealed class Terminal
{
    /// <summary>Columns of tables when the output is a file, which wraps nothing.</summary>
    private const int FileWidth = 160;

    private readonly Lazy<IAnsiConsole> _styled;
    private TerminalPicture? _picture;

    /// <param name="input">Standard input.</param>
    /// <param name="output">Standard output.</param>
    /// <param name="error">Standard error.</param>
    /// <param name="cancellation">Ctrl+C.</param>
    /// <param name="inputIsTerminal">True if a person types.</param>
    /// <param name="outputIsTerminal">True if the output can show colours.</param>
    /// <param name="errorIsTerminal">True if progress can be shown.</param>
    /// <param name="ansi">True for colours of 24 bits; null to find out what the terminal can.</param>
    public Terminal(TextReader input, TextWriter output, TextWriter error, CancellationToken cancellation,
        bool inputIsTerminal = false, bool outputIsTerminal = false, bool errorIsTerminal = false, bool? ansi = null)
    {
        (In, Out, Error, Cancellation) = (input, new CheckedWriter(output, "output"), new CheckedWriter(error, "error"), cancellation);
        (InputIsTerminal, OutputIsTerminal) = (inputIsTerminal, outputIsTerminal);
        Progress = new ProgressLine(Error, errorIsTerminal);
        _styled = new(() =>
        {
            IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(Out),
                Ansi = ansi == true ? AnsiSupport.Yes : outputIsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
                ColorSystem = ansi == true ? ColorSystemSupport.TrueColor
                    : outputIsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
                Interactive = InteractionSupport.No,
            });
            if (Columns is { } columns) console.Profile.Width = columns;
            else if (!outputIsTerminal) console.Profile.Width = FileWidth;
            return console;
        });
    }

    /// <summary>This process's console.</summary>
    public static Terminal OfProcess(CancellationToken cancellation) =>
        new(StandardStreams.Input, StandardStreams.Output, StandardStreams.Error, cancellation,
            !Console.IsInputRedirected, !Console.IsOutputRedirected, !Console.IsErrorRedirected) 
        {
            Bytes = StandardStreams.OpenInput(),
            ReadKey = Console.IsInputRedirected || Console.IsOutputRedirected || Console.IsErrorRedirected ? null
                : () => Console.ReadKey(intercept: true),
        };

    /// <summary>Columns of tables; null for the terminal's own.</summary>
    public int? Columns { get; init; }

    /// <summary>How long a program that completes a file is waited for once the run was stopped.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Standard input as bytes, for a picture; null where it can only be read as text.</summary>
    public Stream? Bytes { get; init; }

    /// <summary>Waits for a key of a person, so that a line can be edited; null where no terminal shows what is typed.</summary>
    public Func<ConsoleKeyInfo>? ReadKey { get; init; }

    /// <summary>Standard input.</summary>
    public TextReader In { get; }

    /// <summary>Standard output; text that shares the screen with a progress line goes through <see cref="WriteLine"/>.</summary>
    public CheckedWriter Out { get; }

    /// <summary>Standard error.</summary>
    public CheckedWriter Error { get; }

    /// <summary>Ctrl+C.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>Stops on Ctrl+C what is stopped instead of the program; false, or null, for the program.</summary>
    public Func<bool>? Interrupt { get; set; }

    /// <summary>True if a person types.</summary>
    public bool InputIsTerminal { get; }

    /// <summary>True if the output can show colours.</summary>
    public bool OutputIsTerminal { get; }

    /// <summary>The line that says how far things are.</summary>
    public ProgressLine Progress { get; }

    /// <summary>Tables and colours on standard output.</summary>
    public IAnsiConsole Styled
    {
        get
        {
            Clear();
            return _styled.Value;
        }
    }

    /// <summary>Begins a picture that is drawn again and again; null where the terminal has too few colours, or there is none.</summary>
    public TerminalPicture? Picture()
    {
        Profile profile = Styled.Profile;
        if (!OutputIsTerminal || !profile.Capabilities.Ansi || profile.Capabilities.ColorSystem != ColorSystem.TrueColor) return null;
        return _picture = new TerminalPicture(Out, () => (profile.Width, profile.Height));
    }

    /// <summary>Writes a line of results.</summary>
    public void WriteLine(string text = "")
    {
        Clear();
        Out.WriteLine(text);
    }

    /// <summary>Writes a remark that is no result.</summary>
    public void Note(string text)
    {
        Clear();
        Error.WriteLine(text);
    }

    private void Clear()
    {
        Progress.Clear();
        _picture?.Leave();
    }
}
