using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary>Bad input: exit 2, one line, nothing left behind.</summary>
public class BadInputTests
{
    public static TheoryData<string[], string[]> BadArguments() => new()
    {
        { [], ["--help"] },
        { ["segmnt"], ["'segmnt'", "--help"] },
        { ["segment", "--image", "a.png", "--prompt", "x"], ["--model", "sa2va segment --help"] },
        { ["segment", "--model", "m", "--image", "a.png", "--prompt", "x", "--out", "OUT", "--frobnicate"], ["--frobnicate"] },
        { ["segment", "--model", "TOY", "--prompt", "x", "--out", "OUT"], ["--image", "--video"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--video", "CLIP", "--prompt", "x", "--out", "OUT"], ["not both"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x"], ["--out"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", " ", "--out", "OUT"], ["--prompt is empty"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--max-frames", "3"], ["--video"] },
        { ["chat", "--model", "TOY", "--image", "CLIP", "--prompt", "x"], ["is a folder", "--video"] },
        { ["chat", "--model", "TOY", "--image", "SHAPES", "--image", "SHAPES", "--prompt", "x"], ["--image is given twice"] },
        { ["segment", "--model", "TOY", "--image", "EMPTY", "--prompt", "x", "--out", "OUT"], ["EMPTY", "no pictures"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--image", "absent.png", "--prompt", "x", "--out", "OUT"],
            ["'absent.png'", "--image"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--regions", "SHAPES"],
            ["--regions is a map of one picture"] },
        { ["segment", "--model", "TOY", "--image", "-", "--image", "-", "--prompt", "x", "--out", "OUT"], ["'-'", "--image"] },
        { ["describe", "--model", "TOY", "--image", "SHAPES", "--overwrite"], ["--overwrite belongs to --out"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--min-score", "1.5"],
            ["from 0 to 1", "'1.5'"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--min-score", "-0.5"],
            ["from 0 to 1", "'-0.5'"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--min-score", "NaN"],
            ["from 0 to 1", "'NaN'"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--order", "name"],
            ["--order belongs to --video and to a folder"] },
        { ["segment", "--model", "TOY", "--image", "absent.png", "--prompt", "x", "--out", "OUT"], ["'absent.png'", "--image"] },
        { ["segment", "--model", "TOY", "--image", "JUNK", "--prompt", "x", "--out", "OUT"], ["JUNK", "PNG"] },
        { ["segment", "--model", "TOY", "--video", "absent", "--prompt", "x", "--out", "OUT"], ["'absent'", "--video"] },
        { ["segment", "--model", "TOY", "--video", "EMPTY", "--prompt", "x", "--out", "OUT"], ["EMPTY", "no frames"] },
        { ["segment", "--model", "TOY", "--video", "SHAPES", "--prompt", "x", "--out", "OUT"], ["shapes.png", "neither a folder"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--frames", "newest"],
            ["'newest'", "uniform"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--frames", "0,48"], ["Frame 48", "47"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--max-frames", "0"], ["--max-frames"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--max-frames", "many"], ["'many'"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--device", "tpu"], ["'tpu'"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--threads", "-4"], ["threads"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "JUNK"], ["JUNK", "is a file"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "JUNK/below"], ["JUNK", "is a file"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", ""], ["--out is empty"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "a\0b"],
            ["--out takes text without NUL characters"] },
        { ["segment", "--model", "TOY", "--image", "", "--prompt", "x", "--out", "OUT"], ["--image"] },
        { ["segment", "--model", "", "--image", "SHAPES", "--prompt", "x", "--out", "OUT"], ["checkpoint"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--frames", "0,3, 0"], ["frame 0 twice"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "a\uFFFD", "--out", "OUT"], ["--prompt", "not valid UTF-8"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", new string('x', 300)],
            ["name is too long", "--out"] },
        { ["chat", "--model", "TOY", "--image", "-"], ["--image -", "--prompt"] },
        { ["chat", "--model", "TOY", "--prompt", ""], ["--prompt is empty"] },
        { ["chat", "--model", "TOY", "--prompt", "x", "--max-tokens", "0"], ["--max-tokens takes a whole number from 1 to"] },
        { ["describe", "--model", "TOY"], ["--image", "--video"] },
        { ["describe", "--model", "TOY", "--image", "SHAPES", "--out", "JUNK"], ["JUNK", "is a file"] },
        { ["demo", "--out", "JUNK"], ["JUNK", "is a file"] },
        { ["inspect", "--model", "TOY", "--tokens", "0"], ["--tokens"] },
        { ["inspect", "--model", "TOY", "--tokens", "1000000"], ["--tokens 1000000", "supports"] },
        { ["describe", "--model", "TOY", "--image", "SHAPES", "--names", "source"], ["--names belongs to --out"] },
        { ["chat", "--model", "TOY", "--prompt", "x", "--upright"], ["--upright belongs to"] },
        { ["describe", "--model", "TOY", "--video", "JUNK", "--order", "name"], ["--order belongs to a folder", "JUNK"] },
        { ["describe", "--model", "TOY", "--video", "CLIP", "--max-frames", "5", "--frames", "9"],
            ["frames 0 to 4 with --max-frames 5"] },
        { ["bench", "--model", "TOY", "--stages", "decode,prefill,decode"], ["decode twice"] },
        { ["bench", "--model", "TOY", "--stages", "decode,,prefill"], ["no stage ''"] },
        { ["verify", "--model", "absent", "--goldens", "EMPTY"], ["'absent'", "--model"] },
        { ["verify", "--goldens", "EMPTY", "--markdown", ""], ["--markdown is empty"] },
        { ["segment", "--model", "absent", "--image", "SHAPES", "--prompt", "x", "--out", "OUT"], ["'absent'", "checkpoint"] },
        { ["segment", "--model", "EMPTY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT"], ["EMPTY", "config.json"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--regions", "absent.png"],
            ["'absent.png'", "--regions"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "x", "--out", "OUT", "--regions", "SHAPES"],
            ["shapes.png", "grey or palette"] },
        { ["segment", "--model", "TOY", "--video", "CLIP", "--prompt", "x", "--out", "OUT", "--regions", "SHAPES"], ["--image"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "<image> and <image>", "--out", "OUT"], ["more than once"] },
        { ["segment", "--model", "TOY", "--image", "SHAPES", "--prompt", "<IMG_CONTEXT>", "--out", "OUT"], ["<IMG_CONTEXT>"] },
    };

    [Theory]
    [MemberData(nameof(BadArguments))]
    public void Is_refused_in_one_line(string[] args, string[] parts)
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("EMPTY"));
        File.WriteAllText(folder.At("JUNK"), "no picture");
        string[] before = folder.Entries;
        CliRun.Of([.. args.Select(a => Resolve(a, folder))]).AssertRefused(parts);
        Assert.Equal(before, folder.Entries);
    }

    [Fact]
    public void A_mask_is_no_label_image()
    {
        using var folder = new ScratchFolder();
        RgbImage image = ImageFile.Load(CliRun.Shapes);
        var inside = new byte[image.Width * image.Height];
        inside[0] = 1;
        // Its pixels are 0 and 255: regions 1 to 254 are not there.
        MaskFile.Save(folder.At("mask.png"), new Mask(image.Width, image.Height, inside));
        CliRun.Of("segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.At("out"), "--regions",
            folder.At("mask.png")).AssertRefused("mask.png", "holds only region255: its pixels are 0 or 255");
        Assert.Equal(["mask.png"], folder.Entries);
    }

    [Fact]
    public void Json_ends_with_an_error_line()
    {
        CliRun run = CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--json");
        Assert.Equal(2, run.Code);
        Assert.Equal("error", run.Json[^1].GetProperty("type").GetString());
        Assert.Equal(2, run.Json[^1].GetProperty("exit").GetInt32());
        Assert.Contains("'absent'", run.Json[^1].GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Verbose_adds_the_stack()
    {
        CliRun run = CliRun.Of("segment", "--verbose", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--json");
        Assert.Equal(2, run.Code);
        Assert.Contains("   at Sa2VA.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_frame_in_the_middle_leaves_nothing_behind()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("frames"));
        for (int i = 0; i < 8; i++) File.Copy(Path.Combine(CliRun.Clip, $"{i:D3}.png"), folder.At("frames", $"{i:D3}.png"));
        File.WriteAllBytes(folder.At("frames", "006.png"), File.ReadAllBytes(folder.At("frames", "006.png"))[..200]);
        string[] before = folder.Entries;
        CliRun run = CliRun.Of("segment", "--model", CliRun.Toy, "--video", folder.At("frames"), "--prompt",
            "Please segment the red circle.", "--json", "--out", folder.At("out"));
        Assert.Equal(2, run.Code);
        Assert.Contains("006.png", run.Error, StringComparison.Ordinal);
        Assert.Equal(6, run.Json.Count(l => l.GetProperty("type").GetString() == "frame"));
        Assert.Equal(2, run.Json[^1].GetProperty("exit").GetInt32());
        Assert.Equal(before, folder.Entries);
    }

    private static string Resolve(string arg, ScratchFolder folder) => arg switch
    {
        "TOY" => CliRun.Toy,
        "SHAPES" => CliRun.Shapes,
        "CLIP" => CliRun.Clip,
        "OUT" => folder.At("new", "OUT"),
        "EMPTY" or "JUNK" => folder.At(arg),
        "JUNK/below" => folder.At("JUNK", "below"),
        _ => arg,
    };
}
