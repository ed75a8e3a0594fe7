using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Samples;
using Sa2VA.Tests;

namespace Sa2VA.Media.Tests;

/// <summary>The examples of the README are the files of <c>samples/Sa2VA.Samples</c>, compiled into these tests and run.</summary>
public class SampleTests
{
    private static readonly string Media = Path.Combine(Fixtures.Repository, "samples", "media");

    [Fact]
    public async Task The_image_example_writes_masks()
    {
        using var folder = new ScratchFolder();
        await SegmentImage.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes.png"), folder.Path,
            TestContext.Current.CancellationToken);
        Mask mask = MaskFile.Load(folder.At("mask-0.png"));
        Assert.InRange(mask.Area, 1, (long)mask.Width * mask.Height - 1);
    }

    [Fact]
    public async Task The_video_example_runs() =>
        await TrackVideo.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes"),
            TestContext.Current.CancellationToken);

    [Fact]
    public void The_camera_example_runs()
    {
        RgbImage[] clip = [.. Enumerable.Range(0, 3).Select(i => ImageFile.Load(Path.Combine(Media, "shapes", $"{i:D3}.png")))];
        (int width, int height) = (clip[0].Width, clip[0].Height);
        int stride = width * 4 + 12;
        byte[][] frames = [.. clip.Select(Padded)];
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Sa2VAModel model = Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), new CpuDevice(), cancellation: cancellation);
        FollowCamera.Run(model, frames, width, height, stride, cancellation);

        byte[] Padded(RgbImage image)
        {
            var bytes = new byte[stride * height];
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    for (int c = 0; c < 3; c++) bytes[y * stride + 4 * x + c] = image.Row(y)[3 * x + 2 - c];
            return bytes;
        }
    }

    [Theory]
    [InlineData("README.md", "SegmentImage.cs", "Sa2VAModel model", "next.Text")]
    [InlineData("docs/embedding.md", "FollowCamera.cs", "ImageView View", "foreach")]
    public void A_page_shows_the_code_that_runs(string page, string sample, string from, string to)
    {
        string text = File.ReadAllText(Path.Combine([Fixtures.Repository, .. page.Split('/')])).ReplaceLineEndings("\n");
        string[] lines = File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "Sa2VA.Samples", sample)).ReplaceLineEndings("\n")
            .Split('\n');
        int first = Array.FindIndex(lines, l => l.Contains(from, StringComparison.Ordinal));
        int last = Array.FindIndex(lines, first, l => l.Contains(to, StringComparison.Ordinal));
        const int Indentation = 8;
        string body = string.Join('\n', lines[first..(last + 1)].Select(l => l.Length >= Indentation ? l[Indentation..] : l));
        Assert.Contains(body, text, StringComparison.Ordinal);
    }
}
