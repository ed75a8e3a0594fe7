using Sa2VA.Models;

namespace Sa2VA.Tests.Pictures;

[Collection(MeasuredCollection.Name)]
public sealed class PillowBicubicMemoryTests
{
    [Fact]
    public void A_stream_of_changing_sizes_does_not_collect_weights()
    {
        var resizer = new PillowBicubic();
        var target = new byte[32 * 2 * 3];
        resizer.Resize(new ImageView(new byte[4000 * 3], 4000, 1, PixelFormat.Rgb24), target, 32, 2);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        byte[] row = new byte[4000 * 3];
        // About 60 kB of weights each.
        for (int width = 3500; width < 4000; width++)
            resizer.Resize(new ImageView(row.AsSpan(0, width * 3), width, 1, PixelFormat.Rgb24), target, 32, 2);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 8 << 20);
        GC.KeepAlive(resizer);
    }
}
