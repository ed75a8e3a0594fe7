using System.Text.Json;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Tests;

/// <summary>Videos that are followed backwards, both ways, or by the consistent protocol; results come in the order of frames.</summary>
public class RecordedTests
{
    private static readonly string[] OfVideo = ["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--max-frames", "8"];
    private static readonly string[] Circle = ["--prompt", "Please segment the red circle."];

    [Fact]
    public async Task What_is_shown_in_the_middle_is_followed_to_both_ends()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of(
            [.. OfVideo, "--json", "--box", "20,20,60,60", "--at", "3", "--direction", "both", "--out", folder.At("out")]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["start", "shown", .. Enumerable.Repeat("frame", 8), "end"], run.Json.Select(j => Text(j, "type")));
        Assert.Equal(("upstream", "both", "start"), (Text(run.Json[0], "protocol"), Text(run.Json[0], "direction"),
            Text(run.Json[0], "frame_selection")));
        Assert.Equal(Enumerable.Range(0, 8), run.Json[2..10].Select(j => j.GetProperty("frame").GetInt32()));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"frame-{i:00000}.png"), Directory.GetFiles(folder.At("out", "masks", "object-0"))
            .Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));

        using Sa2VAModel model = Sa2VAModel.Load(CliRun.Toy, new CpuDevice(), cancellation: Cancellation);
        using VideoSource clip = VideoSource.Open(CliRun.Clip);
        using RecordedSession session = model.OpenRecorded(8, clip.Read,
            new RecordedOptions { Direction = TrackDirection.Both, Start = 3 }, Cancellation);
        session.Follow(3, new VisualPrompt(new Box(20, 20, 60, 60)));
        await foreach (FrameMasks masks in session.TrackAsync(cancellation: Cancellation))
        {
            JsonElement o = run.Json[2 + (int)masks.Frame].GetProperty("objects")[0];
            Assert.Equal(CocoRle.Encode(masks.Objects[0].ToMask()), Text(o.GetProperty("rle"), "counts"));
            Assert.Equal(masks.Objects[0].Score, o.GetProperty("score").GetSingle(), 4);
            Assert.Equal(masks.Objects[0].Present, o.GetProperty("present").GetSingle(), 4);
            Assert.Equal(CocoRle.Encode(masks.Objects[0].ToMask()),
                CocoRle.Encode(MaskFile.Load(folder.At("out", "masks", "object-0", $"frame-{masks.Frame:00000}.png"))));
        }
    }

    [Fact]
    public void Backwards_frames_behind_the_start_have_no_objects()
    {
        CliRun run = CliRun.Of([.. OfVideo, "--json", .. Circle, "--at", "5", "--direction", "backward"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal([1, 1, 1, 1, 1, 1, 0, 0], run.Json[2..10].Select(j => j.GetProperty("objects").GetArrayLength()));
        Assert.Equal(Enumerable.Range(0, 8), run.Json[2..10].Select(j => j.GetProperty("frame").GetInt32()));
    }

    [Fact]
    public void The_consistent_protocol_looks_at_frames_of_the_whole_video()
    {
        CliRun consistent = CliRun.Of([.. OfVideo, "--json", .. Circle, "--protocol", "consistent"]);
        CliRun upstream = CliRun.Of([.. OfVideo, "--json", .. Circle, "--frames", "uniform", "--protocol=upstream"]);
        Assert.Equal((0, "", 0, ""), (consistent.Code, consistent.Error, upstream.Code, upstream.Error));
        Assert.Equal(("consistent", "uniform", "forward"), (Text(consistent.Json[0], "protocol"),
            Text(consistent.Json[0], "frame_selection"), Text(consistent.Json[0], "direction")));
        Assert.Equal("upstream", Text(upstream.Json[0], "protocol"));
        // The same answer on the first frame; by then the one has looked at frame 6, and the other has not.
        Assert.Equal(consistent.Json[2].GetRawText(), upstream.Json[2].GetRawText());
        Assert.NotEqual(consistent.Json[9].GetRawText(), upstream.Json[9].GetRawText());
    }

    [Theory]
    [InlineData("--direction both --point 5,5", "--direction both needs the frame to begin on; give it with --at FRAME")]
    [InlineData("--direction backward --at 8 --prompt x", "frames 0 to 7")]
    [InlineData("--direction backward --at 8 --protocol consistent --prompt x", "--at 8: the video has frames 0 to 7")]
    [InlineData("--protocol consistent --at 3 --prompt x", "--at belongs to --point or --box")]
    [InlineData("--direction sideways --prompt x", "forward, backward or both")]
    [InlineData("--direction backward --prompt x --format soft", "--format soft belongs to --direction forward")]
    public void What_does_not_fit_is_refused(string options, string why)
    {
        CliRun run = CliRun.Of([.. OfVideo, "--out", "nowhere", .. options.Split(' ')]);
        Assert.Equal(2, run.Code);
        Assert.Contains(why, run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists("nowhere"));
    }

    [Fact]
    public void Pictures_have_no_direction()
    {
        CliRun run = CliRun.Of(
            ["segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--json", .. Circle, "--protocol", "consistent"]);
        Assert.Equal((2, true), (run.Code, run.Error.Contains("--protocol and --direction belong to --video", StringComparison.Ordinal)));
    }

    [Fact]
    public void Tracker_weights_that_cannot_be_used_are_one_line()
    {
        string[] weights = ["--tracker-weights", Path.Combine(CliRun.Toy, "model.safetensors")];
        foreach (CliRun run in (CliRun[])[CliRun.Of([.. OfVideo, "--json", .. Circle, .. weights]),
            CliRun.Of(["describe", "--model", CliRun.Toy, "--video", CliRun.Clip, "--json", .. weights])])
        {
            Assert.Equal(2, run.Code);
            Assert.Contains("is a Sa2VA checkpoint, whose decoder is the fine-tuned one", run.Error, StringComparison.Ordinal);
        }
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static string? Text(JsonElement of, string name) => of.GetProperty(name).GetString();
}
