using Sa2VA.Cli.Results;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary><c>--overlay</c>: how overlays are drawn.</summary>
public class OverlayOptionTests
{
    private static readonly string[] Circle = ["segment", "--model", CliRun.Toy, "--prompt", "Please segment the red circle."];

    [Fact]
    public void An_overlay_is_what_the_library_draws()
    {
        using var folder = new ScratchFolder();
        Assert.Equal(0, CliRun.Of([.. Circle, "--image", CliRun.Shapes, "--out", folder.At("a"), "--overlay", "outline,labels"]).Code);
        Assert.Equal(0, CliRun.Of([.. Circle, "--image", CliRun.Shapes, "--out", folder.At("b")]).Code);
        RgbImage picture = ImageFile.Load(CliRun.Shapes);
        Mask mask = MaskFile.Load(folder.At("b", "masks", "object-0", "frame-00000.png"));
        byte[] plain = Read("b");
        // The score is the only thing that the files do not tell.
        Assert.Contains(Enumerable.Range(80, 20), score => Overlay.Draw(picture, [Object(score)]).Pixels.SequenceEqual(plain));
        Assert.Contains(Enumerable.Range(80, 20), score =>
            Overlay.Draw(picture, [Object(score)], new OverlayStyle { Fill = 0 }).Pixels.SequenceEqual(Read("a")));

        ObjectResult Object(int score) => new(0, mask) { Phrase = "red circle", Score = score / 100.0 };
        byte[] Read(string name) => ImageFile.Load(folder.At(name, "overlays", "frame-00000.png")).Pixels.ToArray();
    }

    [Fact]
    public void A_video_can_be_shown_beside_itself_or_without_overlays()
    {
        using var folder = new ScratchFolder();
        string[] clip = [.. Circle, "--video", CliRun.Clip, "--max-frames", "2"];
        Assert.Equal(0, CliRun.Of([.. clip, "--out", folder.At("a"), "--overlay", "fill=0.3,side-by-side", "--format", "none"]).Code);
        Assert.Equal(["overlay.webp", "overlays/frame-00000.png", "overlays/frame-00001.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("a")).Order(StringComparer.Ordinal));
        using (VideoSource animation = VideoSource.Open(folder.At("a", "overlay.webp")))
            Assert.Equal((640, 240, 2), (animation.Width, animation.Height, animation.FrameCount));
        Assert.Equal((640, 240), ImageFile.Size(folder.At("a", "overlays", "frame-00001.png")));
        Assert.Equal(0, CliRun.Of([.. clip, "--out", folder.At("b"), "--overlay", "none"]).Code);
        Assert.Equal(["masks/object-0/frame-00000.png", "masks/object-0/frame-00001.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("b")).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("--overlay", "--overlay takes fill or fill=0…1, outline, labels and side-by-side", "'pretty'", "pretty")]
    [InlineData("--overlay", "'fill=2'", "none", "fill=2")]
    [InlineData("--overlay", "'none,fill'", "none", "none,fill")]
    [InlineData("--overlay", "'fill,,outline'", "none", "fill,,outline")]
    [InlineData("--font", "There is no font 'absent.ttf'", "TTF", "absent.ttf")]
    public void What_is_no_style_is_refused(string option, string part, string other, string value) =>
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", "o", option, value)
            .AssertRefused(part, other);

    [Fact]
    public void A_font_is_checked_before_any_work()
    {
        string[] line = ["segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", "o", "--font", CliRun.Shapes];
        CliRun.Of(line).AssertRefused("shapes.png", "no font");
        CliRun.Of([.. line, "--overlay", "fill"]).AssertRefused("--font belongs to overlays with labels");
        CliRun.Of("describe", "--model", "absent", "--image", CliRun.Shapes, "--overlay", "fill")
            .AssertRefused("--overlay belongs to --out");
    }
}
