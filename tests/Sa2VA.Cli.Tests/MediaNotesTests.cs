namespace Sa2VA.Cli.Tests;

/// <summary>What was done with pictures that might not be expected is told once, and not beside an error.</summary>
public class MediaNotesTests
{
    [Fact]
    public void The_order_of_frames_is_told_and_can_be_chosen()
    {
        using var folder = new ScratchFolder();
        foreach ((int from, string to) in ((int, string)[])[(0, "1.png"), (1, "2.png"), (2, "10.png")])
            File.Copy(Path.Combine(CliRun.Clip, $"{from:D3}.png"), folder.At(to));
        CliRun run = Segment(folder.Path, "--prompt", "Please segment the red circle.", "--prompt", "Please segment the blue star.");
        Assert.Equal(0, run.Code);
        Assert.Contains("10.png", Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Equal(["1.png", "2.png", "10.png"], Sources(run));

        CliRun named = Segment(folder.Path, "--prompt", "Please segment the red circle.", "--order", "name");
        Assert.Equal((0, ""), (named.Code, named.Error));
        Assert.Equal(["1.png", "10.png", "2.png"], Sources(named));
        CliRun refused = Segment(folder.Path, "--prompt", "<IMG_CONTEXT>");
        Assert.Equal(2, refused.Code);
        Assert.Contains("<IMG_CONTEXT>", Assert.Single(refused.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Chat_tells_before_its_first_answer()
    {
        using var folder = new ScratchFolder();
        foreach ((int from, string to) in ((int, string)[])[(0, "1.png"), (1, "2.png"), (2, "10.png")])
            File.Copy(Path.Combine(CliRun.Clip, $"{from:D3}.png"), folder.At(to));
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--video", folder.Path, "--prompt", "Please describe the video content.");
        Assert.Equal(0, run.Code);
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static CliRun Segment(string video, params string[] more) =>
        CliRun.Of(["segment", "--model", CliRun.Toy, "--video", video, "--json", .. more]);

    private static IEnumerable<string> Sources(CliRun run) =>
        run.Json.Where(l => l.GetProperty("type").GetString() == "frame").Select(l => l.GetProperty("source").GetString()!);
}
