using System.Text.Json;

namespace Sa2VA.Cli.Tests;

/// <summary>Masks of low scores are left out where that is asked for, and are missed on their frames.</summary>
public class MinScoreTests
{
    private static readonly string[] OfClip = ["--prompt", "Please segment the red circle.", "--max-frames", "4", "--min-score", "1"];

    [Theory]
    [InlineData("segment", "--video", "")]
    [InlineData("segment", "--video", "--direction both --at 2")]
    [InlineData("track", "", "--queue wait --rate 1000")]
    public void Of_a_video_every_frame_counts(string command, string input, string more)
    {
        string[] options = more.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] line = [command, .. input.Length > 0 ? (string[])[input] : [], CliRun.Clip, "--model", CliRun.Toy, .. OfClip, .. options];
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of([.. line, "--out", folder.At("out"), "--animation", "none"]);
        Assert.Equal(0, run.Code);
        Assert.Matches(@"red circle +0 of 4 +– +–", run.Out);
        Assert.Contains("4 masks with a score below --min-score 1 were left out.", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(folder.Entries, e => e.Contains("/masks/", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_several_objects_those_that_are_good_enough_stay()
    {
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt",
            "Please segment the red circle and the blue star.", "--min-score", "0.9", "--json"]);
        Assert.Equal(0, run.Code);
        JsonElement frame = run.Json.Single(l => l.GetProperty("type").GetString() == "frame"), end = run.Json[^1];
        Assert.Equal(0, Assert.Single(frame.GetProperty("objects").EnumerateArray()).GetProperty("id").GetInt32());
        Assert.Equal((2, 1), (end.GetProperty("objects").GetInt32(), end.GetProperty("dropped").GetInt32()));
    }
}
