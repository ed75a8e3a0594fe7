namespace Sa2VA.Cli.Tests;

/// <summary>Tables fit a terminal of 80 columns, and no cell is cut.</summary>
public class TextTableTests
{
    [Theory]
    [InlineData("verify", "--goldens", "tests/fixtures/goldens/ops")]
    [InlineData("bench", "--model", "samples/models/sa2va-tiny-shapes", "--runs", "1", "--stages", "vision-tower,decode", "--kernels")]
    [InlineData("inspect", "--model", "samples/models/sa2va-tiny-shapes")]
    [InlineData("segment", "--model", "samples/models/sa2va-tiny-shapes", "--image", "samples/media/shapes.png", "--prompt",
        "Please segment the red circle, the green ring and the yellow triangle.", "--out", "OUT")]
    public void Tables_of_commands_fit(string command, params string[] options)
    {
        using var folder = new ScratchFolder();
        using var output = new StringWriter();
        using var error = new StringWriter();
        string[] args = [command, .. options.Select(o => o == "OUT" ? folder.At("out")
            : o.Contains('/', StringComparison.Ordinal) ? Path.Combine([Fixtures.Repository, .. o.Split('/')]) : o)];
        Program.Run(args, new Terminal(TextReader.Null, output, error, TestContext.Current.CancellationToken) { Columns = 80 });
        string[] lines = output.ToString().Split('\n');
        // Behind its headings a table goes on to an empty line. Sentences are broken by the terminal.
        int begin = Array.FindIndex(lines, l => l.Contains("──", StringComparison.Ordinal));
        if (begin < 0) begin = Array.FindIndex(lines, l => l.StartsWith("  ", StringComparison.Ordinal));
        Assert.True(begin >= 0);
        Assert.All(lines[begin..].TakeWhile(l => l.Trim().Length > 0), l => Assert.InRange(l.TrimEnd().Length, 0, 80));
    }

    [Fact]
    public void What_is_too_wide_becomes_lines_of_its_own()
    {
        string[] headings = ["name", "first number", "second"];
        string[][] rows = [["a", "1", "2,000"], ["long name", "10", ""]];
        Assert.Equal(["             first", "name        number   second", "───────────────────────────", "a                1    2,000",
            "long name       10"], TextTable.Lines(headings, 1, rows, 80));
        Assert.Equal(["a", "  first number: 1,", "  second: 2,000", "long name", "  first number: 10"],
            TextTable.Lines(headings, 1, rows, 20).Select((l, i) => i == 1 ? l + "," : l));
        Assert.Equal("  first number: 1, second: 2,000", TextTable.Lines([.. headings, new string('x', 40)],
            1, [[.. rows[0], ""]], 39).ElementAt(1));
    }
}
