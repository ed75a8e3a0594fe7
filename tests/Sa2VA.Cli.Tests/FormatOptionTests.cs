using System.Text.Json;
using Sa2VA.Cli.Results;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary><c>--format</c>: the same masks in every form.</summary>
public class FormatOptionTests
{
    private static readonly string[] Two = ["--prompt", "Please segment the red circle.", "--prompt", "Please segment the blue star."];

    [Fact]
    public void A_video_s_masks_are_the_same_in_every_format()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, .. Two, "--max-frames", "3", "--json", "--out",
            folder.At("out"), "--format", "davis,soft,png", "--format", "coco", "--format", "cutout,youtube-vos,polygons,png"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Mask[][] masks = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "frame")
            .Select(f => f.GetProperty("objects").EnumerateArray().Select(o => Decode(o.GetProperty("rle"))).ToArray())];
        Assert.Equal([2, 2, 2], masks.Select(m => m.Length));
        RgbImage[] pictures = [.. Directory.GetFiles(CliRun.Clip).Order(StringComparer.Ordinal).Take(3).Select(f => ImageFile.Load(f))];
        byte[] nothing = new byte[3];
        for (int frame = 0; frame < 3; frame++)
        {
            string name = $"frame-{frame:D5}.png";
            Assert.Equal(LabelMapFile.Labels([(0, masks[frame][0]), (1, masks[frame][1])]),
                ImageFile.LoadLabels(folder.At("out", "davis", name)).Labels);
            for (int id = 0; id < 2; id++)
            {
                Mask mask = masks[frame][id];
                Assert.Equal(mask, MaskFile.Load(folder.At("out", "masks", $"object-{id}", name)), Same);
                RgbImage soft = ImageFile.Load(folder.At("out", "soft", $"object-{id}", name));
                RgbImage cut = ImageFile.Load(folder.At("out", "cutouts", $"object-{id}", name));
                Assert.True(mask.Area > 0);
                for (int i = 0; i < mask.Pixels.Length; i++)
                {
                    // Above one half is inside; the upper eight bits of one half are 0x7f or 0x80.
                    if (mask.Pixels[i] == 0 ? soft.Pixels[3 * i] > 0x80 : soft.Pixels[3 * i] < 0x7f) Assert.Fail($"soft {frame} {id} {i}");
                    ReadOnlySpan<byte> colour = mask.Pixels[i] == 0 ? nothing : pictures[frame].Pixels.Slice(3 * i, 3);
                    if (!cut.Pixels.Slice(3 * i, 3).SequenceEqual(colour)) Assert.Fail($"cut-out {frame} {id} {i}");
                }
            }
        }
        JsonElement coco = Read("coco.json"), vos = Read("youtube-vos.json"), polygons = Read("polygons.json");
        Assert.Equal(["000.png", "001.png", "002.png"],
            coco.GetProperty("images").EnumerateArray().Select(i => i.GetProperty("file_name").GetString()!));
        Assert.Equal(["red circle", "blue star"],
            coco.GetProperty("categories").EnumerateArray().Select(i => i.GetProperty("name").GetString()!));
        Assert.Equal(masks.SelectMany(m => m),
            coco.GetProperty("annotations").EnumerateArray().Select(a => Decode(a.GetProperty("segmentation"))), Same);
        Assert.Equal(masks.Select(m => m[1]),
            vos.GetProperty("annotations")[1].GetProperty("segmentations").EnumerateArray().Select(Decode), Same);
        Assert.Equal(3, polygons.GetProperty("frames").GetArrayLength());
        // A run that takes its place takes all of it.
        Assert.Equal(0, CliRun.Of(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, .. Two, "--max-frames", "1", "--out",
            folder.At("out"), "--format", "davis", "--overwrite"]).Code);
        Assert.Equal(["davis/frame-00000.png", "overlay.webp", "overlays/frame-00000.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));

        JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllText(folder.At("out", name))).RootElement;
    }

    [Fact]
    public void Pictures_share_one_coco_file_without_the_one_that_fails()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("in"));
        foreach (string name in (string[])["a.png", "b.png", "c.png"]) File.Copy(CliRun.Shapes, folder.At("in", name));
        File.WriteAllBytes(folder.At("in", "b.png"), File.ReadAllBytes(CliRun.Shapes)[..200]);
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", folder.At("in"), .. Two[..2], "--out", folder.At("out"),
            "--format", "coco"]);
        Assert.Equal(2, run.Code);
        Assert.Contains("2 of 3 pictures were segmented: coco.json and 2 overlays in", run.Error, StringComparison.Ordinal);
        JsonElement coco = JsonDocument.Parse(File.ReadAllText(folder.At("out", "coco.json"))).RootElement;
        Assert.Equal(["a.png", "c.png"],
            coco.GetProperty("images").EnumerateArray().Select(i => i.GetProperty("file_name").GetString()!));
        Assert.Equal(["a/overlays/frame-00000.png", "c/overlays/frame-00000.png", "coco.json", "sa2va-run.json"],
            ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Objects_that_are_shown_have_soft_masks_too()
    {
        using var folder = new ScratchFolder();
        foreach ((string kind, string source) in ((string, string)[])[("--image", CliRun.Shapes), ("--video", CliRun.Clip)])
        {
            string[] line = ["segment", "--model", CliRun.Toy, kind, source, "--point", "105,110", "--out", folder.At(kind),
                "--format", "soft", .. kind == "--video" ? ["--max-frames", "2"] : (string[])[]];
            CliRun run = CliRun.Of(line);
            run.AssertShownInDoubt();
            Assert.NotEmpty(Directory.GetFiles(folder.At(kind, "soft", "object-0")));
            Assert.False(Directory.Exists(folder.At(kind, "masks")));
        }
    }

    [Fact]
    public void A_video_in_which_nothing_is_named_has_empty_maps_for_every_frame()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please describe the video content.",
            "--max-frames", "2", "--out", folder.At("out"), "--format", "davis,youtube-vos");
        Assert.Equal(0, run.Code);
        Assert.Contains("youtube-vos.json and 2 label maps in", run.Out, StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(folder.At("out", "davis")), f => Assert.DoesNotContain(ImageFile.LoadLabels(f).Labels, l => l != 0));
        JsonElement vos = JsonDocument.Parse(File.ReadAllText(folder.At("out", "youtube-vos.json"))).RootElement;
        Assert.Equal(2, vos.GetProperty("videos")[0].GetProperty("length").GetInt32());
        Assert.Equal(0, vos.GetProperty("annotations").GetArrayLength());
    }

    [Theory]
    [InlineData("youtube-vos", "--video", "--format coco")]
    [InlineData("none,png", "--format none goes with no other")]
    [InlineData("rle", "--format takes png, davis", "'rle'")]
    [InlineData("png,", "--format takes png, davis")]
    [InlineData("", "--format is empty")]
    public void What_does_not_apply_is_refused(string format, params string[] parts) =>
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--format", format, "--out", "o")
            .AssertRefused(parts);

    [Fact]
    public void Without_a_folder_there_are_no_formats() =>
        CliRun.Of("describe", "--model", "absent", "--image", CliRun.Shapes, "--format", "coco").AssertRefused("--format belongs to --out");

    [Theory]
    [InlineData("coco.json")]
    [InlineData("davis/frame-00000.png")]
    [InlineData("soft/object-1/frame-00000.png")]
    public void What_no_run_wrote_is_in_the_way(string file)
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(Path.GetDirectoryName(folder.At(file))!);
        File.WriteAllText(folder.At(file), "mine");
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.Path, "--format", "coco")
            .AssertRefused(Path.GetFileName(file), "in the way");
    }

    [Theory]
    [InlineData("Please segment the red circle.", "red circle")]
    [InlineData("<image>Can you please segment the dog on the left?", "dog on the left")]
    [InlineData("segment all of it", "all of it")]
    [InlineData("What is red? ", "What is red?")]
    [InlineData("请分割红色的圆。", "请分割红色的圆。")]
    public void Objects_are_called_what_the_question_asks_for(string question, string name) => Assert.Equal(name, AskedFor.In(question));

    [Fact]
    public void Objects_of_a_list_are_called_by_their_parts_of_it()
    {
        using var folder = new ScratchFolder();
        Assert.Equal(0, CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt",
            "Please segment the green ring, the pink heart and the yellow triangle.", "--out", folder.At("out"), "--format", "coco").Code);
        JsonElement coco = JsonDocument.Parse(File.ReadAllText(folder.At("out", "coco.json"))).RootElement;
        Assert.Equal(["green ring", "pink heart", "yellow triangle"],
            coco.GetProperty("categories").EnumerateArray().Select(i => i.GetProperty("name").GetString()!));
    }

    private static Mask Decode(JsonElement rle) => CocoRle.Decode(rle.GetProperty("counts").GetString()!,
        rle.GetProperty("size")[1].GetInt32(), rle.GetProperty("size")[0].GetInt32());

    private static bool Same(Mask x, Mask y) => x.Width == y.Width && x.Pixels.SequenceEqual(y.Pixels);
}
