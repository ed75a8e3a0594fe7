using System.Text.Json;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Tests;

/// <summary>What <c>segment --json</c> writes against upstream's recorded answers.</summary>
public class SegmentTests
{
    [Fact]
    public void A_region_without_a_map_is_noted()
    {
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "Please segment region1.", "--json");
        Assert.Equal(0, run.Code);
        Assert.Contains("--regions PNG", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sa2va-tiny-shapes", "image-red-circle")]
    [InlineData("sa2va-tiny-shapes", "image-three-seg")]
    [InlineData("sa2va-tiny-shapes", "image-gcg-three")]
    [InlineData("sa2va-tiny-shapes", "region-seg")]
    [InlineData("sa2va-tiny-shapes", "seg-odd-97x131")]
    [InlineData("sa2va-tiny-shapes", "unicode")]
    [InlineData("sa2va-tiny-shapes", "video-1")]
    [InlineData("sa2va-tiny-shapes", "video-6")]
    [InlineData("sa2va-tiny-shapes", "video-12-two")]
    [InlineData("sa2va-tiny-shapes", "video-8-wide")]
    [MemberData(nameof(BundledCases))]
    public void Json_lines_equal_the_recorded_answer(string model, string name)
    {
        Assert.SkipUnless(Fixtures.Exists("predict", model, name + ".json"), "not among the fixtures of this clone");
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", model, name + ".json"));
        using var folder = new ScratchFolder();
        List<string> args = ["segment", "--model", Fixtures.Model(model), "--prompt", recorded.Prompt, "--json", "--out", folder.At("out")];
        if (recorded.Image is { } image) args.AddRange(["--image", Media(image)]);
        if (recorded.Video is { } video) args.AddRange(["--video", Path.GetDirectoryName(Media(video[0]))!, "--max-frames",
            $"{video.Count}"]);
        if (recorded.Regions is { } regions) args.AddRange(["--regions", Media(regions)]);

        CliRun run = CliRun.Of([.. args]);
        Assert.Equal(0, run.Code);
        JsonElement[] lines = run.Json;
        // A picture without the circle that is asked for.
        Assert.Equal(lines[1].GetProperty("found").GetBoolean(), run.Error.Length == 0);
        if (run.Error.Length > 0) Assert.Matches("^Nothing found for '.*': the best score is 0.[0-4][0-9], and .*\n$", run.Error);
        Assert.Empty(lines[1].GetProperty("notes").EnumerateArray());
        int frames = recorded.Video?.Count ?? 1;
        Assert.Equal(["start", "answer", .. Enumerable.Repeat("frame", frames), "end"],
            lines.Select(l => l.GetProperty("type").GetString()!));
        Assert.Equal(model, lines[0].GetProperty("model").GetString());
        Assert.Equal(frames, lines[0].GetProperty("frames").GetInt32());
        Assert.Equal(recorded.Prediction, lines[1].GetProperty("raw").GetString());
        Assert.Equal(recorded.OutputIds.Count, lines[1].GetProperty("tokens").GetInt32());
        Assert.Equal(Enumerable.Range(0, recorded.Masks.Count), lines[1].GetProperty("objects").EnumerateArray().Select(e => e.GetInt32()));
        for (int f = 0; f < frames; f++)
        {
            JsonElement line = lines[2 + f];
            Assert.Equal(f, line.GetProperty("frame").GetInt32());
            Assert.Equal(recorded.Masks.Count, line.GetProperty("objects").GetArrayLength());
            for (int i = 0; i < recorded.Masks.Count; i++) CheckObject(line.GetProperty("objects")[i], i, f, recorded.Masks[i][f], folder);
        }
        Assert.Equal((frames, recorded.Masks.Count),
            (lines[^1].GetProperty("frames").GetInt32(), lines[^1].GetProperty("objects").GetInt32()));
        string[] seconds = ["load", "prompt", "first_mask", "total"];
        Assert.All(seconds, s => Assert.True(lines[^1].GetProperty("seconds").GetProperty(s).GetDouble() >= 0));
    }

    public static IEnumerable<TheoryDataRow<string, string>> BundledCases() =>
        // Every clone carries this model with all its cases.
        Directory.EnumerateFiles(Path.Combine(Fixtures.Repository, "tests", "fixtures", "predict", "internvl-internlm2"), "*.json")
            .Order(StringComparer.Ordinal)
            .Select(PredictCase.Read).Where(c => c.Masks.Count > 0 && c.PastText.Length == 0)
                .Select(c => new TheoryDataRow<string, string>(c.Model, c.Name));

    [Theory]
    [InlineData("f32")]
    [InlineData("bf16")]
    [InlineData("int8")]
    [InlineData("int4")]
    public void It_says_how_numbers_are_stored(string precision)
    {
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "Please segment the red circle.",
            "--json", "--precision", precision);
        Assert.Equal(precision, run.Json[0].GetProperty("dtype").GetString());
    }

    [Fact]
    public void Follows_objects_of_several_prompts_in_one_pass()
    {
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the red circle.",
            "--prompt", "<image>Please describe the video content.", "--prompt", "Please segment the blue star.", "--json", "--max-frames",
                "6", "--frames", "uniform");
        Assert.Equal(0, run.Code);
        JsonElement[] lines = run.Json;
        Assert.Equal("uniform", lines[0].GetProperty("frame_selection").GetString());
        Assert.Equal([0, 1, 2], lines.Where(l => Type(l) == "answer").Select(l => l.GetProperty("prompt").GetInt32()));
        Assert.Equal("[0]|[]|[1]",
            string.Join('|', lines.Where(l => Type(l) == "answer").Select(l => l.GetProperty("objects").GetRawText())));
        JsonElement[] frames = [.. lines.Where(l => Type(l) == "frame")];
        Assert.Equal(6, frames.Length);
        Assert.All(frames, f =>
            Assert.Equal("0,1", string.Join(',', f.GetProperty("objects").EnumerateArray().Select(o => o.GetProperty("id").GetInt32()))));
    }

    [Fact]
    public void An_answer_without_objects_says_so_and_still_counts_the_frames()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please describe the video content.",
            "--json", "--max-frames", "3",
            "--out", folder.At("out"));
        Assert.Equal(0, run.Code);
        Assert.Equal("Nothing found for 'Please describe the video content.': the answer names no object. "
            + "Ask as in 'Please segment the dog.'", run.Error.Trim());
        JsonElement[] lines = run.Json;
        Assert.Equal(3, lines.Count(l => Type(l) == "frame"));
        Assert.Equal(0, lines[^1].GetProperty("objects").GetInt32());
        Assert.Equal(JsonValueKind.Null, lines[^1].GetProperty("seconds").GetProperty("first_mask").ValueKind);
    }

    [Theory]
    [InlineData("segment", "--video")]
    [InlineData("segment", "--protocol=consistent", "--video")]
    [InlineData("track", "--queue=wait", "--rate=1000", "--look=5")]
    public void What_is_on_no_frame_of_a_video_does_not_look_like_a_result(params string[] command)
    {
        string[] args = [.. command, CliRun.Clip, "--model", CliRun.Toy, "--max-frames", "2", "--json"];
        CliRun run = CliRun.Of([.. args, "--prompt", "hello", "--prompt", "Please segment the red circle."]);
        Assert.Equal(0, run.Code);
        Assert.Equal("Nothing found for 'hello': the best score of all frames is 0.00, and below 0.5 a mask is hardly what was asked for.",
            run.Error.Trim());
        Assert.Equal("[0]", run.Json[^1].GetProperty("not_found").GetRawText());
        foreach (JsonElement frame in run.Json.Where(l => l.GetProperty("type").GetString() == "frame"))
            Assert.Equal([true, false], frame.GetProperty("objects").EnumerateArray().Select(o => o.GetProperty("low_score").GetBoolean()));
    }

    [Fact]
    public void Masks_that_are_all_empty_are_counted()
    {
        using var folder = new ScratchFolder();
        const string Ask = "Please segment the green ring, the pink heart and the yellow triangle.";
        File.Copy(Path.Combine(Fixtures.Repository, "samples", "media", "trio.png"), folder.At("0.png"));
        string[] args = ["segment", "--model", CliRun.Toy, "--json", "--prompt", Ask];
        Assert.Equal($"Nothing found for '{Ask}': all 3 masks are empty.",
            CliRun.Of([.. args, "--image", folder.At("0.png")]).Error.Trim());
        Assert.Equal($"Nothing found for '{Ask}': all 3 masks are empty on all frames.",
            CliRun.Of([.. args, "--video", folder.Path]).Error.Trim());
    }

    [Fact]
    public void An_empty_mask_has_no_box()
    {
        // The ring is behind the frame's edge in the middle of the clip.
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the green ring.",
            "--json");
        JsonElement[] objects = [.. run.Json.Where(l => Type(l) == "frame").Select(l => l.GetProperty("objects")[0])];
        Assert.Equal(48, objects.Length);
        Assert.Contains(objects, o => o.GetProperty("area").GetInt64() == 0);
        Assert.All(objects, o =>
            Assert.Equal(o.GetProperty("area").GetInt64() == 0, o.GetProperty("bbox").ValueKind == JsonValueKind.Null));
    }

    [Fact]
    public void For_people_it_prints_answers_and_what_became_of_the_objects()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "Please segment the red circle.",
            "--out", folder.At("out"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains("Sure, [SEG].", run.Out, StringComparison.Ordinal);
        Assert.Contains("1 of 1", run.Out, StringComparison.Ordinal);
        Assert.Contains($"1 mask and 1 overlay in {folder.At("out")}", run.Out, StringComparison.Ordinal);
        Assert.Equal(["out", "out/masks", "out/masks/object-0", "out/masks/object-0/frame-00000.png", "out/overlays",
            "out/overlays/frame-00000.png", "out/sa2va-run.json"],
            folder.Entries);
    }

    private static void CheckObject(JsonElement json, int id, int frame, Mask recorded, ScratchFolder folder)
    {
        Assert.Equal(id, json.GetProperty("id").GetInt32());
        JsonElement rle = json.GetProperty("rle"), size = rle.GetProperty("size");
        Mask mask = CocoRle.Decode(rle.GetProperty("counts").GetString()!, size[1].GetInt32(), size[0].GetInt32());
        Assert.True(SegmentationMetrics.Jaccard(mask, recorded) >= 0.995);
        Assert.Equal(mask.Area, json.GetProperty("area").GetInt64());
        if (mask.BoundingBox is { } box) Assert.Equal($"[{box.X},{box.Y},{box.Width},{box.Height}]", json.GetProperty("bbox").GetRawText());
        Assert.InRange(json.GetProperty("score").GetDouble(), 0, 1);
        Assert.InRange(json.GetProperty("present").GetDouble(), 0, 1);
        Mask file = MaskFile.Load(folder.At("out", "masks", $"object-{id}", $"frame-{frame:D5}.png"));
        Assert.True(file.Pixels.SequenceEqual(mask.Pixels));
    }

    private static string Type(JsonElement line) => line.GetProperty("type").GetString()!;

    private static string Media(string path) => Fixtures.Path(path.Split('/'));
}
