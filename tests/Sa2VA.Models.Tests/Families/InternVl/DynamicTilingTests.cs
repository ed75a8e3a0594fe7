using System.Security.Cryptography;
using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;
using Sa2VA.Tests.Pictures;

namespace Sa2VA.Tests.Families;

/// <summary>The recorded grids and tiles.</summary>
public sealed class DynamicTilingTests
{
    [Fact]
    public void Every_recorded_grid_is_chosen()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("preprocess", "tiling.json")));
        int cases = 0;
        foreach (JsonElement row in recorded.RootElement.GetProperty("rows").EnumerateArray())
        {
            int[] v = [.. row.EnumerateArray().Select(x => x.GetInt32())];
            (int Columns, int Rows) grid = DynamicTiling.Grid(v[1], v[2], v[0]);
            Assert.True(grid == (v[3], v[4]), $"{v[1]}×{v[2]} in tiles of {v[0]}: {grid}, not ({v[3]}, {v[4]}).");
            Assert.Equal(v[5], DynamicTiling.Count(grid));
            cases++;
        }
        Assert.Equal(600, cases);
    }

    [Fact]
    public void Every_recorded_tile_is_exact()
    {
        using JsonDocument recorded = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("preprocess", "tiles.json")));
        int cases = 0, missing = 0;
        foreach (JsonElement item in recorded.RootElement.GetProperty("cases").EnumerateArray())
        {
            string name = item.GetProperty("in").GetString()!;
            // The two largest pictures are not part of a clone.
            if (!Fixtures.Exists("preprocess", name))
            {
                missing++;
                continue;
            }
            int side = item.GetProperty("tile").GetInt32();
            RgbImage[] tiles = DynamicTiling.Split(TestPng.Rgb(Fixtures.Path("preprocess", name)), side);
            string[] expected = [.. item.GetProperty("sha256").EnumerateArray().Select(x => x.GetString()!)];
            Assert.Equal(expected, tiles.Select(t => Convert.ToHexStringLower(SHA256.HashData(t.Pixels))));
            Assert.All(tiles, t => Assert.Equal((side, side), (t.Width, t.Height)));
            cases++;
        }
        Assert.Equal(14, cases + missing);
        Assert.True(missing is 0 or 4, $"{missing} cases lack their picture.");
    }

    [Fact]
    public void A_size_outside_the_limits_is_refused() => Assert.Throws<MediaException>(() => DynamicTiling.Grid(70_000, 1, 448));
}
