namespace Sa2VA.Cli.Tests;

public class ProgressTests
{
    [Fact]
    public void A_terminal_sees_rate_and_remaining_time_and_then_nothing()
    {
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, CancellationToken.None, errorIsTerminal: true);
        Assert.Equal(0, Program.Run(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt",
            "Please segment the red circle.", "--json"], terminal));
        string text = error.ToString();
        Assert.Matches(@"Segmenting: \d+/48 frames( and \d+ %)?, (\d+\.\d frames/s|\d+ s each), 0:\d\d:\d\d left", text);
        Assert.Matches(@"\rLoading: \d+/\d+ MB", text);
        Assert.Matches(@"\rLooking: \d", text);
        Assert.Matches(@"\rReading the prompt: \d", text);
        // Of a frame, too, how much of it is done.
        Assert.Matches(@"Segmenting: \d+/48 frames and \d+ %", text);
        Assert.EndsWith(" \r", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', text);
    }

    [Fact]
    public void So_it_does_where_a_video_is_followed_both_ways()
    {
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, CancellationToken.None, errorIsTerminal: true);
        Assert.Equal(0, Program.Run(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--max-frames", "3", "--box", "20,20,60,60",
            "--at", "1", "--direction", "both", "--json"], terminal));
        // The frame that is prompted counts too.
        Assert.Matches(@"\rSegmenting: \d/4 frames", error.ToString());
        Assert.EndsWith(" \r", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, 10, "Segmenting: 3/10 frames")]
    [InlineData(3.456, 10, "Segmenting: 3/10 frames and 45 %")]
    [InlineData(3.009, 10, "Segmenting: 3/10 frames")]
    [InlineData(7.5, 0, "Segmenting: 7 frames and 50 %")]
    [InlineData(1, 0, "Segmenting: 1 frame")]
    [InlineData(0.25, 1, "Segmenting: 25 %")]
    [InlineData(1, 1, "Segmenting: 100 %")]
    public void What_is_in_work_is_shown_by_its_share(double done, double total, string expected)
    {
        using var error = new StringWriter();
        new ProgressLine(error, enabled: true).Count("Segmenting", "frames", done, total);
        Assert.Equal("\r" + expected, error.ToString());
    }

    [Fact]
    public void Slow_things_have_seconds_each_and_a_share_of_one_thing_has_the_time_that_is_left()
    {
        using var error = new StringWriter();
        var line = new ProgressLine(error, enabled: true);
        line.Count("Fast", "tiles", 0, 1);
        Thread.Sleep(300);
        line.Count("Fast", "tiles", 0.5, 1);
        Assert.Matches(@"Fast: 50 %, 0:00:0\d left *$", error.ToString());
        line.Count("Slow", "frames", 0, 1000);
        Thread.Sleep(300);
        line.Count("Slow", "frames", 0.02, 1000);
        Assert.Matches(@"Slow: 0/1000 frames and 2 %, 1\d s each, ([4-9]|\d\d):[0-5]\d:[0-5]\d left *$", error.ToString());
        // Of more than a day all hours; of more than a hundred hours nobody knows.
        line.Count("Endless", "frames", 0, 1000);
        Thread.Sleep(300);
        line.Count("Endless", "frames", 0.001, 1000);
        Assert.Matches(@"Endless: 0/1000 frames, \d+ s each, [89]\d:[0-5]\d:[0-5]\d left *$", error.ToString());
    }

    [Fact]
    public void A_pipe_sees_nothing() =>
        Assert.Equal("", CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt",
            "Please segment the red circle.", "--json").Error);
}
