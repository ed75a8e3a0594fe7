using System.Text.Json;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary>Objects that are shown by clicks and boxes, with or without words.</summary>
public class ShowTests
{
    private static readonly string[] OfImage = ["segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--json"];
    private static readonly string[] OfVideo = ["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--max-frames", "5", "--json"];
    private static readonly string[] Circle = ["--prompt", "Please segment the red circle."];

    [Fact]
    public void An_image_needs_no_words()
    {
        CliRun run = CliRun.Of([.. OfImage, "--point", "188,75", "--point", "10.5,20,-", "--box=1,2,300,340"]);
        run.AssertShownInDoubt();
        Assert.Equal(["start", "shown", "frame", "end"], run.Json.Select(Type));
        Assert.Equal("""{"type":"shown","object":0,"frame":0,"corrects":false,"points":[[188,75,1],[10.5,20,0]],"box":[1,2,300,340]}""",
            run.Json[1].GetRawText());
        using Sa2VAModel model = Sa2VAModel.Load(CliRun.Toy, new CpuDevice(), cancellation: Cancellation);
        using ImageSession session = model.OpenImage(ImageFile.Load(CliRun.Shapes));
        var prompt = new VisualPrompt([new Click(188, 75), new Click(10.5f, 20, Inside: false)], new Box(1, 2, 300, 340));
        AssertMask(session.Segment(prompt, cancellation: Cancellation).ToMask(), Objects(run, 2)[0]);
        Assert.Equal(1, run.Json[^1].GetProperty("objects").GetInt32());
    }

    [Fact]
    public void What_is_shown_comes_behind_what_is_named_or_corrects_it()
    {
        CliRun named = CliRun.Of([.. OfImage, .. Circle]), beside = CliRun.Of([.. OfImage, .. Circle, "--point", "20,20"]);
        CliRun corrected = CliRun.Of([.. OfImage, .. Circle, "--point", "140,30,-", "--correct", "0"]);
        Assert.Equal((0, 0), (beside.Code, corrected.Code));
        JsonElement[] both = Objects(beside, 3);
        Assert.Equal([0, 1], both.Select(o => o.GetProperty("id").GetInt32()));
        Assert.Equal(Objects(named, 2)[0].GetRawText(), both[0].GetRawText());
        JsonElement one = Assert.Single(Objects(corrected, 3));
        Assert.Equal(0, one.GetProperty("id").GetInt32());
        Assert.True(corrected.Json[2].GetProperty("corrects").GetBoolean());
        Assert.NotEqual(both[0].GetProperty("area").GetInt64(), one.GetProperty("area").GetInt64());
    }

    [Fact]
    public void In_a_video_it_joins_at_its_frame()
    {
        CliRun run = CliRun.Of([.. OfVideo, .. Circle, "--box", "20,20,60,60", "--at", "2"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["start", "answer", "frame", "frame", "shown", "frame", "frame", "frame", "end"], run.Json.Select(Type));
        Assert.Equal(["0", "0", "0,1", "0,1", "0,1"], Ids(run));
        // Who is named has the masks that he has without it.
        CliRun alone = CliRun.Of([.. OfVideo, .. Circle]);
        Assert.Equal(Frames(alone).Select(f => f.GetProperty("objects")[0].GetRawText()),
            Frames(run).Select(f => f.GetProperty("objects")[0].GetRawText()));
    }

    [Fact]
    public void A_video_needs_no_words_and_the_stream_begins_at_the_frame()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of([.. OfVideo, "--point", "50,50", "--at=2", "--out", folder.At("out")]);
        run.AssertShownInDoubt();
        Assert.Equal(["", "", "0", "0", "0"], Ids(run));
        Assert.Equal(["frame-00002.png", "frame-00003.png", "frame-00004.png"],
            Directory.GetFiles(folder.At("out", "masks", "object-0")).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal));
        Assert.Equal("--point 50,50,+ --at 2",
            JsonDocument.Parse(File.ReadAllBytes(folder.At("out", "sa2va-run.json"))).RootElement.GetProperty("shown").GetString());
        // The stream begins there: what came before has no part in it.
        using Sa2VAModel model = Sa2VAModel.Load(CliRun.Toy, new CpuDevice(), cancellation: Cancellation);
        using VideoSource clip = VideoSource.Open(CliRun.Clip);
        using VideoSession session = model.OpenVideo([clip.Read(0)], cancellation: Cancellation);
        session.Next(clip.Read(2), Cancellation);
        session.Follow(new VisualPrompt(new Click(50, 50)), out FrameMasks masks, Cancellation);
        AssertMask(masks.Objects[0].ToMask(), Frames(run)[2].GetProperty("objects")[0]);
        AssertMask(session.Next(clip.Read(3), Cancellation).Objects[0].ToMask(), Frames(run)[3].GetProperty("objects")[0]);
    }

    [Fact]
    public void In_a_video_it_corrects_what_is_named()
    {
        CliRun alone = CliRun.Of([.. OfVideo, .. Circle]);
        CliRun run = CliRun.Of([.. OfVideo, .. Circle, "--point", "40,110,-", "--at", "3", "--correct", "0"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        bool[] same = [.. Frames(alone).Zip(Frames(run), (a, b) => a.GetRawText() == b.GetRawText())];
        Assert.Equal([true, true, true, false, false], same);
    }

    [Fact]
    public void For_people_the_table_says_so()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of([.. OfImage[..^1], "--point", "20,20", "--out", folder.At("out")]);
        Assert.Contains("(shown)", run.Out, StringComparison.Ordinal);
        run.AssertShownInDoubt();
        run = CliRun.Of([.. OfImage[..^1], .. Circle, "--point", "20,20", "--correct", "0", "--out", folder.At("out2")]);
        Assert.Contains("red circle, corrected", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--point 5")]
    [InlineData("--point 5,")]
    [InlineData("--point 5,6,7")]
    [InlineData("--point 5,6,+,8")]
    [InlineData("--point 5;6")]
    [InlineData("--point NaN,6")]
    [InlineData("--point 1e3,6")]
    [InlineData("--point ∞,6")]
    [InlineData("--point (5,6)")]
    [InlineData("--box 5,6")]
    [InlineData("--box 5,6,7")]
    [InlineData("--box 5,6,7,8,9")]
    [InlineData("--box a,b,c,d")]
    [InlineData("--box 5,6,7,+")]
    public void A_place_is_numbers_in_pixels(string option)
    {
        string[] words = option.Split(' ');
        CliRun.Of(["segment", "--model", "absent", "--image", CliRun.Shapes, "--out", "o", .. words])
            .AssertRefused($"{words[0]} takes ", "such as", $"'{words[1]}'");
    }

    [Theory]
    [InlineData("--image", "--point 480,20", "outside the picture, which has 480×360")]
    [InlineData("--image", "--point=-1,20", "outside the picture")]
    [InlineData("--image", "--box 5,5,5,9", "Box corners")]
    [InlineData("--image", "--box 9,5,5,9", "Box corners")]
    [InlineData("--image", "--box 0,0,481,9", "Box corners")]
    [InlineData("--video", "--point 320,20", "outside the picture, which has 320×240")]
    [InlineData("--image", "--point 5,5 --at 0", "--at belongs to --video")]
    [InlineData("--image", "--prompt x --at 3", "--at belongs to --point or --box")]
    [InlineData("--video", "--prompt x --correct 0", "--correct belongs to --point or --box")]
    [InlineData("--image", "--point 5,5 --correct 0", "--correct belongs to --prompt")]
    [InlineData("--video", "--point 5,5 --at 48", "frames 0 to 47")]
    [InlineData("--video", "--point 5,5 --at 5 --max-frames 5", "frames 0 to 4")]
    [InlineData("--image", "--box 0,0,5,5 --box 0,0,6,6", "--box is given twice")]
    [InlineData("--image", "--point", "--point needs a value: --point X,Y[,+|-]")]
    [InlineData("--image", "", "--prompt TEXT, or show it with --point X,Y or --box")]
    public void What_does_not_fit_is_refused_before_a_model_is_loaded(string media, string options, string part) =>
        CliRun.Of(["segment", "--model", "absent", media, media == "--image" ? CliRun.Shapes : CliRun.Clip, "--out", "o",
            .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]).AssertRefused(part);

    [Theory]
    [InlineData("Please segment the red circle.", "1", "name 1 object, numbered from 0")]
    [InlineData("Please describe the video content.", "0", "no answer names an object")]
    public void An_object_that_no_answer_names_cannot_be_corrected(string prompt, string id, string part)
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of([.. OfVideo[..^1], "--prompt", prompt, "--point", "5,5", "--correct", id, "--out", folder.At("out")]);
        Assert.Equal(2, run.Code);
        Assert.Contains(part, Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Empty(folder.Entries);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static JsonElement[] Frames(CliRun run) => [.. run.Json.Where(l => Type(l) == "frame")];

    private static IEnumerable<string> Ids(CliRun run) =>
        Frames(run).Select(f => string.Join(',', f.GetProperty("objects").EnumerateArray().Select(o => o.GetProperty("id").GetInt32())));

    private static JsonElement[] Objects(CliRun run, int line) => [.. run.Json[line].GetProperty("objects").EnumerateArray()];

    private static string Type(JsonElement line) => line.GetProperty("type").GetString()!;

    private static void AssertMask(Mask mask, JsonElement o) =>
        Assert.Equal(CocoRle.Encode(mask), o.GetProperty("rle").GetProperty("counts").GetString());
}
