using Sa2VA.Engine;
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
        string folder = Directory.CreateTempSubdirectory("sa2va-sample").FullName;
        try
        {
            await SegmentImage.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes.png"), folder,
                TestContext.Current.CancellationToken);
            Mask mask = MaskFile.Load(Path.Combine(folder, "mask-0.png"));
            Assert.InRange(mask.Area, 1, (long)mask.Width * mask.Height - 1);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task The_video_example_runs() =>
        await TrackVideo.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes"),
            TestContext.Current.CancellationToken);

    [Fact]
    public void The_readme_shows_the_image_example()
    {
        string readme = File.ReadAllText(Path.Combine(Fixtures.Repository, "README.md")).ReplaceLineEndings("\n");
        string[] lines =
            File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "Sa2VA.Samples",
                "SegmentImage.cs")).ReplaceLineEndings("\n").Split('\n');
        int first = Array.FindIndex(lines, l => l.Contains("Sa2VAModel model", StringComparison.Ordinal));
        int last = Array.FindIndex(lines, l => l.Contains("next.Text", StringComparison.Ordinal));
        const int Indentation = 8;
        string body = string.Join('\n', lines[first..(last + 1)].Select(l => l.Length >= Indentation ? l[Indentation..] : l));
        Assert.Contains(body, readme, StringComparison.Ordinal);
    }
}
