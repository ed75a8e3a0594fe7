using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Preprocessing;

/// <summary>Masks, their measures, and regions on the token grid.</summary>
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
        Assert.Contains("(1, 1) is 255", Assert.Throws<MediaException>(() => new Mask(2, 2, [0, 1, 0, 255])).Message, StringComparison.Ordinal);
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

    [Theory]
    [InlineData(16, 16, 16)]
    [InlineData(331, 97, 16)]
    [InlineData(5, 3, 4)]
    [InlineData(1, 1000, 16)]
    public void Cells_are_the_nearest_pixels(int width, int height, int side)
    {
        var random = new Random(3);
        var labels = new byte[width * height];
        for (int i = 0; i < labels.Length; i++) labels[i] = (byte)random.Next(4);
        labels[^1] = 4;
        Mask[] cells = RegionMasks.Cells(labels, width, height, side), regions = RegionMasks.FromLabels(labels, width, height);
        Assert.Equal(4, cells.Length);
        float ratioX = (float)width / side, ratioY = (float)height / side;
        for (int k = 0; k < cells.Length; k++)
        {
            Assert.Equal(labels.Count(l => l == k + 1), regions[k].Area);
            Assert.Equal(cells[k].Pixels.ToArray(), RegionMasks.Cells(regions, side)[k].Pixels.ToArray());
            for (int y = 0; y < side; y++)
            {
                for (int x = 0; x < side; x++)
                {
                    int fromX = Math.Min((int)(x * ratioX), width - 1), fromY = Math.Min((int)(y * ratioY), height - 1);
                    Assert.Equal(labels[fromY * width + fromX] == k + 1, cells[k][x, y]);
                }
            }
        }
    }

    [Fact]
    public void A_region_that_vanishes_has_no_cells()
    {
        var pixels = new byte[64 * 64];
        pixels[65] = 1;
        Assert.Equal(0, RegionMasks.Cells(new Mask(64, 64, pixels), 16).Area);
        Assert.Empty(RegionMasks.Cells(new byte[12], 4, 3, 16));
    }

    [Fact]
    public void Region_cells_match_the_recorded_prompt()
    {
        int cases = 0;
        foreach (string file in Directory.GetFiles(Fixtures.Path("predict"), "*.json", SearchOption.AllDirectories))
        {
            using JsonDocument item = JsonDocument.Parse(File.ReadAllText(file));
            JsonElement root = item.RootElement;
            if (!root.TryGetProperty("mask_prompts", out JsonElement regions) || regions.ValueKind != JsonValueKind.String) continue;
            string model = root.GetProperty("model").GetString()!;
            if (!File.Exists(Path.Combine(Fixtures.Model(model), "config.json"))) continue;
            using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(Fixtures.Model(model), "config.json")));
            JsonElement vision = config.RootElement.GetProperty("vision_config");
            int patch = vision.GetProperty("patch_size").GetInt32(), tile = config.RootElement.TryGetProperty("force_image_size", out JsonElement size)
                && size.ValueKind == JsonValueKind.Number ? size.GetInt32() : vision.GetProperty("image_size").GetInt32();
            int side = tile / patch / 2;
            (int width, int height, _, byte[] labels) = TestPng.Read(Fixtures.Path(regions.GetString()!.Split('/')));
            RgbImage image = TestPng.Rgb(Fixtures.Path(root.GetProperty("image").GetString()!.Split('/')));
            int context = DynamicTiling.Count(DynamicTiling.Grid(image.Width, image.Height, tile)) * side * side
                + RegionMasks.Cells(labels, width, height, side).Sum(c => (int)c.Area);
            // The context token is by far the most frequent one of a prompt with an image.
            Assert.Equal(context, root.GetProperty("prompt_ids").EnumerateArray().GroupBy(id => id.GetInt32()).Max(g => g.Count()));
            cases++;
        }
        Assert.NotEqual(0, cases);
    }
}
