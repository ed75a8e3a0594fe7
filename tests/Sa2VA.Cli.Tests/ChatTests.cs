namespace Sa2VA.Cli.Tests;

public class ChatTests
{
    [Fact]
    public void Answers_a_prompt_about_an_image()
    {
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "Please segment the red circle.");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal("Sure, [SEG].", run.Out.Trim());
    }

    [Fact]
    public void A_mask_of_something_that_is_not_there_does_not_look_like_a_result()
    {
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "hello");
        Assert.Equal((0, "Sure, [SEG]."), (run.Code, run.Out.Trim()));
        Assert.StartsWith("Nothing found for 'hello': the best score is 0.00", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Answers_about_a_video()
    {
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please describe the video content.");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal("The video shows a green ring, a blue star, a red circle and a green ring.", run.Out.Trim());
    }

    [Fact]
    public void Streams_the_answer_in_pieces()
    {
        var pieces = new List<string>();
        CliRun.With((piece, _) => pieces.Add(piece), TextReader.Null, "chat", "--model", CliRun.Toy, "--prompt", "What can you do?");
        Assert.True(pieces.Count > 5);
        Assert.Equal("I can segment, describe and track coloured shapes.", string.Concat(pieces).Trim());
    }

    [Fact]
    public void A_second_prompt_follows_up_on_the_first()
    {
        // Recorded: this follow-up to this question; a first question that speaks of the picture would get it, a follow-up must not.
        string picture = Fixtures.Path("media", "square-150.png");
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--image", picture, "--prompt",
            "<image>How many shapes are there in this image?", "--prompt", "Please segment the green cross.");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["There are three shapes.", "Sure, [SEG]."],
            run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        CliRun refused = CliRun.Of("chat", "--model", CliRun.Toy, "--image", picture, "--prompt",
            "How many shapes are there in this image?", "--prompt", "<image>Please segment the green cross.");
        Assert.Equal(2, refused.Code);
        Assert.Contains("<image>", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_questions_from_a_pipe()
    {
        var input = new StringReader("Hello\n\nWhat can you do?\n/new\nHello\n");
        CliRun run = CliRun.With(null, input, "chat", "--model", CliRun.Toy);
        Assert.Equal((0, ""), (run.Code, run.Error));
        string[] lines = run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(3, lines.Length);
        Assert.Equal("Hello! I can segment shapes in images and videos.", lines[0]);
        // A new conversation begins where the first one began.
        Assert.Equal(lines[0], lines[2]);
    }

    [Fact]
    public void A_question_that_is_no_utf_8_is_refused() =>
        CliRun.With(null, new StringReader("a\uFFFDb\n"), "chat", "--model", CliRun.Toy).AssertRefused("not valid UTF-8");

    [Fact]
    public void Quit_ends_before_the_rest()
    {
        CliRun run = CliRun.With(null, new StringReader("/quit\nHello\n"), "chat", "--model", CliRun.Toy);
        Assert.Equal((0, "", ""), (run.Code, run.Error, run.Out));
    }

    [Fact]
    public void Ctrl_c_stops_within_a_token()
    {
        CliRun run = CliRun.With((_, cancel) => cancel.Cancel(), TextReader.Null, "chat", "--model", CliRun.Toy, "--prompt",
            "What can you do?");
        Assert.Equal(130, run.Code);
        Assert.Equal("I", run.Out.Trim());
        Assert.Equal("sa2va: Cancelled.", run.Error.Trim());
    }

    [Fact]
    public void Ctrl_c_stops_waiting_for_a_question()
    {
        using var cancel = new CancellationTokenSource();
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var silent = new SilentReader(cancel);
        Assert.Equal(130, Program.Run(["chat", "--model", CliRun.Toy], output, error, silent, cancel.Token));
    }

    [Fact]
    public void An_answer_that_is_cut_off_says_so()
    {
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--prompt", "What can you do?", "--max-tokens", "2");
        Assert.Equal(0, run.Code);
        Assert.Contains("--max-tokens", run.Error, StringComparison.Ordinal);
    }

    /// <summary>A person who types nothing and then presses Ctrl+C.</summary>
    private sealed class SilentReader(CancellationTokenSource cancel) : TextReader
    {
        private readonly ManualResetEventSlim _closed = new();

        public override int Read(char[] buffer, int index, int count)
        {
            cancel.Cancel();
            _closed.Wait(TestContext.Current.CancellationToken);
            return 0;
        }

        protected override void Dispose(bool disposing) => _closed.Set();
    }
}
