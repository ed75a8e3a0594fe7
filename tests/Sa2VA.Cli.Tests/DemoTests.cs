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
        for (int id = 0; id < 2; id++)
            for (int frame = 0; frame < 7; frame++)
            {
                Mask mask = MaskFile.Load(Path.Combine(output, "video", "masks", $"object-{id}", $"frame-{frame:D5}.png"));
                Assert.Equal((320, 240), (mask.Width, mask.Height));
                Assert.True(mask.Area > 100);
            }
        Assert.DoesNotContain(folder.Entries, e => e.EndsWith(".part", StringComparison.Ordinal));
    }

    [Fact]
    public void Shows_objects_that_join_late_by_words_and_a_click_a_correction_and_one_that_leaves()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("demo", "--out", folder.Path);
        Assert.Equal("", run.Error);
        Assert.Equal(0, run.Code);
        foreach (string said in (string[])
            [
                "> What colour is the circle?", "The circle is white.", "frame 12: > Please segment the yellow triangle.",
                "frame 36: a click at 41,197: object 3 joins", "frame 40: object 0", "frame 44: object 1, the star, is removed",
            ])
            Assert.Contains(said, run.Out, StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(folder.At("conversation", "masks"), "*.png", SearchOption.AllDirectories).Length);
        (int First, int Last)[] spans = [(0, 47), (0, 43), (12, 47), (36, 47)];
        for (int id = 0; id < spans.Length; id++)
            Assert.Equal(Enumerable.Range(spans[id].First, spans[id].Last - spans[id].First + 1).Select(i => $"frame-{i:D5}.png"),
                Directory.GetFiles(folder.At("video", "masks", $"object-{id}")).Select(Path.GetFileName).Order());
        // Where it is clicked at is part of the mask; the ring keeps its hole; the bite at the circle's left is mended.
        Assert.True(Of(3, 36)[41, 197]);
        Assert.False(Of(3, 47)[66, 187]);
        Assert.True(Of(0, 40)[204, 92]);

        Mask Of(int id, int frame) => MaskFile.Load(folder.At("video", "masks", $"object-{id}", $"frame-{frame:D5}.png"));
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
