namespace Sa2VA.Cli.Tests;

/// <summary>Ctrl+C: exit 130, nothing half-written.</summary>
public class CancellationTests
{
    [Fact]
    public void Within_a_video_it_stops_at_once_and_leaves_nothing()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"frame\":6", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, "segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the red circle.",
            "--json", "--out", folder.At("out"));
        Assert.Equal(130, run.Code);
        Assert.Equal(7, run.Json.Count(l => l.GetProperty("type").GetString() == "frame"));
        Assert.Equal(130, run.Json[^1].GetProperty("exit").GetInt32());
        Assert.Equal("sa2va: Cancelled.", run.Error.Trim());
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public void A_folder_that_was_there_stays_as_it_was()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("mine.txt"), "mine");
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (!line.Contains("\"frame\":1", StringComparison.Ordinal)) return;
            Assert.Contains(folder.Entries, e => e.EndsWith("masks/object-0/frame-00001.png", StringComparison.Ordinal));
            cancel.Cancel();
        }, TextReader.Null, "segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the red circle.",
            "--json", "--out", folder.Path);
        Assert.Equal(130, run.Code);
        Assert.Equal(["mine.txt"], folder.Entries);
    }

    [Fact]
    public void Before_the_answer_it_leaves_nothing()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("Device", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, "demo", "--out", folder.At("out"));
        Assert.Equal(130, run.Code);
        Assert.DoesNotContain("Sure", run.Out, StringComparison.Ordinal);
        Assert.Empty(folder.Entries);
    }
}
