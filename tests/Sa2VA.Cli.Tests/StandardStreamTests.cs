namespace Sa2VA.Cli.Tests;

/// <summary>Standard streams fail like files: exit 2, one line where one can be written, never a stack.</summary>
public class StandardStreamTests
{
    private const string Full = "the disk is full";

    [Theory]
    [InlineData("--help")]
    [InlineData("--version")]
    [InlineData("segment --help")]
    [InlineData("segment --model TOY --image SHAPES --prompt 'Please segment the red circle.' --json")]
    [InlineData("segment --model TOY --image SHAPES --prompt 'Please segment the red circle.' --out OUT")]
    [InlineData("describe --model TOY --image SHAPES")]
    [InlineData("chat --model TOY --prompt Hello")]
    [InlineData("chat --model TOY")]
    [InlineData("inspect --model TOY")]
    [InlineData("bench --model TOY --stages prefill --runs 1")]
    [InlineData("verify --goldens OPS --json")]
    [InlineData("demo --max-frames 1 --out OUT")]
    public void A_result_that_cannot_be_written_is_an_error_of_one_line(string commandLine)
    {
        using var folder = new ScratchFolder();
        using var output = new FailingWriter(new IOException(Full));
        using var error = new StringWriter();
        string[] args = [.. ShellWords.Of(commandLine).Select(a => a == "OUT" ? folder.At("out") : Resolve(a))];
        Assert.Equal(2, Program.Run(args, output, error, new StringReader("Hello\n"), TestContext.Current.CancellationToken));
        string line = Assert.Single(error.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(Full, line, StringComparison.Ordinal);
        Assert.Equal(1, output.Attempts);
    }

    [Theory]
    [InlineData("frob")]
    [InlineData("segment --json")]
    [InlineData("chat --model TOY --prompt 'What can you do?' --max-tokens 2")]
    public void An_error_that_cannot_be_told_is_one_all_the_same(string commandLine)
    {
        string[] args = [.. ShellWords.Of(commandLine).Select(Resolve)];
        using var output = new StringWriter();
        using var error = new FailingWriter(new UnauthorizedAccessException("Bad file descriptor"));
        Assert.Equal(2, Program.Run(args, output, error, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal(1, error.Attempts);
        if (args.Contains("--json")) Assert.Contains("\"type\":\"error\"", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void With_both_streams_gone_the_exit_code_is_left()
    {
        using var output = new FailingWriter(new IOException(Full));
        using var error = new FailingWriter(new ObjectDisposedException("stderr"));
        Assert.Equal(2, Program.Run(["--help"], output, error, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_reader_that_has_seen_enough_wants_no_comment()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has other error numbers");
        using var output = new FailingWriter(new IOException("Broken pipe", 32));
        using var error = new StringWriter();
        Assert.Equal(2, Program.Run(["--help"], output, error, cancellation: TestContext.Current.CancellationToken));
        Assert.Equal("", error.ToString());
    }

    [Fact]
    public void What_fails_when_it_is_flushed_is_no_success()
    {
        using var output = new FailingWriter(new IOException(Full)) { OnFlushOnly = true };
        using var error = new StringWriter();
        Assert.Equal(2, Program.Run(["--version"], output, error, cancellation: TestContext.Current.CancellationToken));
        Assert.Contains(Full, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_progress_line_on_a_terminal_that_has_gone_ends_the_run()
    {
        using var error = new FailingWriter(new IOException("Input/output error"));
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, TestContext.Current.CancellationToken, errorIsTerminal: true);
        Assert.Equal(2, Program.Run(["inspect", "--model", CliRun.Toy, "--scan"], terminal));
    }

    [Fact]
    public void Input_that_cannot_be_read_is_refused()
    {
        using var input = new FailingReader();
        CliRun.With(null, input, "chat", "--model", CliRun.Toy).AssertRefused("Standard input", "Is a directory", "--prompt");
    }

    [Fact]
    public void A_line_that_never_ends_is_refused()
    {
        using var input = new EndlessReader();
        CliRun.With(null, input, "chat", "--model", CliRun.Toy).AssertRefused("standard input", $"{QuestionReader.Longest}");
        Assert.InRange(input.Given, QuestionReader.Longest, QuestionReader.Longest + 10_000);
    }

    [Fact]
    public void A_picture_may_come_from_standard_input()
    {
        string[] args = ["segment", "--model", CliRun.Toy, "--image", "-", "--prompt", "Please segment the red circle.", "--json"];
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, output, error,
            TestContext.Current.CancellationToken) { Bytes = File.OpenRead(CliRun.Shapes) };
        Assert.Equal(0, Program.Run(args, terminal));
        Assert.Equal("", error.ToString());
        Assert.Contains("\"frame\":0,\"source\":\"stdin\",\"time\":null,\"objects\":[{\"id\":0,\"area\":10693,", output.ToString(),
            StringComparison.Ordinal);
        CliRun.Of(args).AssertRefusedWithJson("'-'", "--image");
    }

    [Fact]
    public void Standard_input_may_stay_open_after_its_picture_and_may_fail()
    {
        byte[] picture = File.ReadAllBytes(CliRun.Shapes);
        string[] args = ["segment", "--model", CliRun.Toy, "--image", "-", "--prompt", "Please segment the red circle.", "--json"];
        Assert.Equal((0, ""), Run(new FailingInput(picture)));
        (int code, string error) = Run(new FailingInput(picture[..^30]));
        Assert.Equal(2, code);
        Assert.Contains("Standard input cannot be read: Input/output error. ",
            Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);

        (int Code, string Error) Run(Stream input)
        {
            using var error = new StringWriter();
            var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, TestContext.Current.CancellationToken) { Bytes = input };
            return (Program.Run(args, terminal), error.ToString());
        }
    }

    [Theory]
    [InlineData("a\nb", "a", "b")]
    [InlineData("a\r\n\r\nb\r\n", "a", "", "b")]
    [InlineData("\n", "")]
    [InlineData("")]
    public void Lines_are_those_of_a_text_file(string text, params string[] lines)
    {
        var reader = new QuestionReader(new Terminal(new StringReader(text), TextWriter.Null, TextWriter.Null, CancellationToken.None));
        var read = new List<string>();
        while (reader.Read() is { } line) read.Add(line);
        Assert.Equal(lines, read);
    }

    private static string Resolve(string word) => word switch
    {
        "TOY" => CliRun.Toy,
        "SHAPES" => CliRun.Shapes,
        "OPS" => Path.Combine(Fixtures.Repository, "tests", "fixtures", "goldens", "ops"),
        _ => word,
    };

    private sealed class FailingWriter(Exception failure) : StringWriter
    {
        public bool OnFlushOnly { get; init; }

        public int Attempts { get; private set; }

        public override void Write(char value) => Fail();

        public override void Write(char[] buffer, int index, int count) => Fail();

        public override void Write(string? value) => Fail();

        public override void WriteLine(string? value) => Fail();

        public override void Flush()
        {
            if (OnFlushOnly) throw failure;
        }

        private void Fail()
        {
            if (OnFlushOnly) return;
            Attempts++;
            throw failure;
        }
    }

    /// <summary>Fails where a pipe that stays open would wait for ever.</summary>
    private sealed class FailingInput(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;

        public override int Read(byte[] buffer, int offset, int count) => Position < Length
            ? base.Read(buffer, offset, count) : throw new IOException("Input/output error");
    }

    private sealed class FailingReader : TextReader
    {
        public override int Read(char[] buffer, int index, int count) => throw new IOException("Is a directory");
    }

    private sealed class EndlessReader : TextReader
    {
        public long Given { get; private set; }

        public override int Read(char[] buffer, int index, int count)
        {
            Array.Fill(buffer, 'a', index, count);
            Given += count;
            return count;
        }
    }
}
