using System.Text.Json;
using Sa2VA.Models;
using Sa2VA.Tests.Pictures;

namespace Sa2VA.Tests.Families;

/// <summary>Regions on the token grid.</summary>
public sealed class RegionGridTests
{
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
        foreach ((int k, Mask region) in RegionMasks.FromLabels(labels, width, height).Index())
        {
            Mask cells = RegionGrid.Cells(region, side);
            float ratioX = (float)width / side, ratioY = (float)height / side;
            for (int y = 0; y < side; y++)
            {
                for (int x = 0; x < side; x++)
                {
                    int fromX = Math.Min((int)(x * ratioX), width - 1), fromY = Math.Min((int)(y * ratioY), height - 1);
                    Assert.Equal(labels[fromY * width + fromX] == k + 1, cells[x, y]);
                }
            }
        }
    }

    [Fact]
    public void A_region_that_vanishes_has_no_cells()
    {
        var pixels = new byte[64 * 64];
        pixels[65] = 1;
        Assert.Equal(0, RegionGrid.Cells(new Mask(64, 64, pixels), 16).Area);
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
            int patch = vision.GetProperty("patch_size").GetInt32(),
                tile = config.RootElement.TryGetProperty("force_image_size", out JsonElement size)
                && size.ValueKind == JsonValueKind.Number ? size.GetInt32() : vision.GetProperty("image_size").GetInt32();
            int side = tile / patch / 2;
            (int width, int height, _, byte[] labels) = TestPng.Read(Fixtures.Path(regions.GetString()!.Split('/')));
            RgbImage image = TestPng.Rgb(Fixtures.Path(root.GetProperty("image").GetString()!.Split('/')));
            int context = DynamicTiling.Count(DynamicTiling.Grid(image.Width, image.Height, tile)) * side * side
                + RegionMasks.FromLabels(labels, width, height).Sum(region => (int)RegionGrid.Cells(region, side).Area);
            // The context token is by far the most frequent one of a prompt with an image.
            Assert.Equal(context, root.GetProperty("prompt_ids").EnumerateArray().GroupBy(id => id.GetInt32()).Max(g => g.Count()));
            cases++;
        }
        Assert.NotEqual(0, cases);
    }
}
