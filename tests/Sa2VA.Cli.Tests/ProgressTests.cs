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
        Assert.Matches(@"Segmenting: \d+/48 frames, \d+\.\d frames/s, 0:00:0\d left", text);
        Assert.EndsWith(" \r", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', text);
    }

    [Fact]
    public void A_pipe_sees_nothing() =>
        Assert.Equal("", CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt",
            "Please segment the red circle.", "--json").Error);
}
