using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

public class DemoTests
{
    [Fact]
    public void Writes_masks_overlays_and_an_animation_that_decode_again()
    {
        using var folder = new ScratchFolder();
        string output = folder.At("not", "there", "yet");
        CliRun run = CliRun.Of("demo", "--out", output, "--max-frames", "7");
        Assert.Equal("", run.Error);
        Assert.Equal(0, run.Code);
        Assert.Contains("toy", run.Out, StringComparison.Ordinal);
        Assert.Contains("> Please segment the red circle.", run.Out, StringComparison.Ordinal);
        Assert.Contains("Sure, [SEG].", run.Out, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(output, "video", "overlay.webp"), run.Out, StringComparison.Ordinal);

        RgbImage picture = ImageFile.Load(CliRun.Shapes),
            overlay = ImageFile.Load(Path.Combine(output, "image", "overlays", "frame-00000.png"));
        Assert.Equal((picture.Width, picture.Height), (overlay.Width, overlay.Height));
        Assert.False(picture.Pixels.SequenceEqual(overlay.Pixels));
        Assert.Equal(4, Directory.GetFiles(Path.Combine(output, "image", "masks"), "*.png", SearchOption.AllDirectories).Length);
        using VideoSource animation = VideoSource.Open(Path.Combine(output, "video", "overlay.webp"));
        Assert.Equal((7, 320, 240), (animation.FrameCount, animation.Width, animation.Height));
        Assert.Equal(42, animation.Duration(0)!.Value.TotalMilliseconds);
        for (int id = 0; id < 4; id++)
            for (int frame = 0; frame < 7; frame++)
            {
                Mask mask = MaskFile.Load(Path.Combine(output, "video", "masks", $"object-{id}", $"frame-{frame:D5}.png"));
                Assert.Equal((320, 240), (mask.Width, mask.Height));
                Assert.True(mask.Area > 100);
            }
        Assert.DoesNotContain(folder.Entries, e => e.EndsWith(".part", StringComparison.Ordinal));
    }

    [Fact]
    public void Runs_again_into_the_same_folder_and_leaves_other_files_alone()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("mine.txt"), "mine");
        for (int i = 0; i < 2; i++) Assert.Equal(0, CliRun.Of("demo", "--out", folder.Path, "--max-frames", "1").Code);
        Assert.Equal("mine", File.ReadAllText(folder.At("mine.txt")));
        Assert.Contains("video/overlay.webp", folder.Entries);
        Assert.DoesNotContain(folder.Entries, e => e.Contains(".part", StringComparison.Ordinal));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(folder.Path)!), e =>
            e.StartsWith(folder.Path + ".", StringComparison.Ordinal));
    }
}
