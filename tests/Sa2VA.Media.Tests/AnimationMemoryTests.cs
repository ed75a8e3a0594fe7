using Sa2VA.Media;

namespace Sa2VA.Tests;

[Collection(MeasuredCollection.Name)]
public sealed class AnimationMemoryTests
{
    [Fact]
    public void An_animation_at_the_limit_holds_its_canvas_and_the_frame_that_is_read()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("a.gif"), TestImages.Gif(4096, 4096, [.. Enumerable.Range(0, 12).Select(i => (i, 0, 1, 1, 5, 1, 4))]));
        using VideoSource video = VideoSource.Open(folder.At("a.gif"));
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < video.FrameCount; i++) video.Read(i);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, -1 << 20, 4096 * 4096 * 3 + (1 << 20));
    }
}
