using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Pictures;

/// <summary>Masks and their measures.</summary>
public sealed class MaskTests
{
    [Fact]
    public void Area_and_box_equal_the_recorded_ones()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("metrics", "rle.json")));
        int cases = 0;
        foreach (JsonElement item in recorded.RootElement.GetProperty("cases").EnumerateArray())
        {
            if (!item.TryGetProperty("mask", out JsonElement name) || name.ValueKind != JsonValueKind.String) continue;
            (int width, int height, _, byte[] pixels) = TestPng.Read(Fixtures.Path("metrics", name.GetString()!));
            var mask = new Mask(width, height, [.. pixels.Select(p => (byte)(p / 255))]);
            Assert.Equal(item.GetProperty("area").GetInt64(), mask.Area);
            (int x, int y, int w, int h) = mask.BoundingBox ?? (0, 0, 0, 0);
            Assert.Equal(mask.Area == 0, mask.BoundingBox is null);
            Assert.Equal(item.GetProperty("bbox").EnumerateArray().Select(v => v.GetDouble()), [x, y, w, h]);
            cases++;
        }
        Assert.True(cases > 100, $"Only {cases} masks.");
    }

    [Fact]
    public void A_mask_holds_zero_and_one_only()
    {
        Assert.Contains("(1, 1) is 255", Assert.Throws<MediaException>(() => new Mask(2, 2, [0, 1, 0, 255])).Message,
            StringComparison.Ordinal);
        Assert.Throws<MediaException>(() => new Mask(2, 2, new byte[3]));
        Assert.Throws<MediaException>(() => new Mask(0, 2, []));
    }

    [Fact]
    public void An_image_must_fit_its_pixels()
    {
        Assert.Throws<MediaException>(() => new RgbImage(2, 2, new byte[11]));
        Assert.Throws<MediaException>(() => new RgbImage(65_536, 1, new byte[65_536 * 3]));
        Assert.Throws<MediaException>(() => new RgbImage(60_000, 60_000, []));
    }

    [Fact]
    public void A_label_image_has_a_mask_for_each_label()
    {
        Mask[] masks = RegionMasks.FromLabels([0, 1, 2, 1, 0, 2], 3, 2);
        Assert.Equal([[0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]], masks.Select(mask => mask.Pixels.ToArray()));
        Assert.Empty(RegionMasks.FromLabels(new byte[12], 4, 3));
        Assert.Throws<MediaException>(() => RegionMasks.FromLabels(new byte[11], 4, 3));
    }

    [Fact]
    public void Labels_have_no_gap_and_their_masks_a_bound()
    {
        var labels = new byte[14_000 * 14_000];
        labels[5] = 255;
        labels[6] = 1;
        labels[9] = 3;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("none of value 2: region2 marks no pixel",
            Assert.Throws<MediaException>(() => RegionMasks.FromLabels(labels, 14_000, 14_000)).Message, StringComparison.Ordinal);
        for (int i = 0; i < 11; i++) labels[i] = (byte)(i + 1);
        Assert.Contains("11 regions of 14000×14000 pixels",
            Assert.Throws<MediaException>(() => RegionMasks.FromLabels(labels, 14_000, 14_000)).Message, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }
}
