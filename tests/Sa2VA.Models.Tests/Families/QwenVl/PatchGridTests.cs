using Sa2VA.Models;

namespace Sa2VA.Tests.Families;

/// <summary>The order of patches, their windows, and what they hold.</summary>
public sealed class PatchGridTests
{
    [Fact]
    public void Tokens_stand_window_by_window_and_smaller_windows_end_rows()
    {
        var grid = new PatchGrid(new TokenGrid(3, 5), windowTokens: 2);
        Assert.Equal([0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14], grid.Order);
        Assert.Equal([16, 32, 40, 48, 56, 60], grid.WindowEnds);
        // Token 5 is that of row 1 and column 0; its four patches follow each other.
        Assert.Equal([(2, 0), (2, 1), (3, 0), (3, 1)], Enumerable.Range(8, 4).Select(grid.PatchAt));
    }

    [Fact]
    public void Without_windows_they_stand_row_by_row_as_one_part()
    {
        var grid = new PatchGrid(new TokenGrid(2, 3), windowTokens: 0);
        Assert.Equal(Enumerable.Range(0, 6), grid.Order);
        Assert.Equal([24], grid.WindowEnds);
    }

    [Fact]
    public void A_patch_holds_each_channel_twice_row_by_row()
    {
        const int p = 2, width = 8, height = 4;
        var pixels = new byte[width * height * 3];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)i;
        var levels = new float[3 * 256];
        for (int i = 0; i < levels.Length; i++) levels[i] = i;
        var grid = new PatchGrid(new TokenGrid(1, 2), windowTokens: 0);
        float[] packed = grid.Pack(new RgbImage(width, height, pixels), p, levels);
        Assert.Equal(grid.Patches * 3 * 2 * p * p, packed.Length);
        for (int place = 0; place < grid.Patches; place++)
        {
            (int row, int column) = grid.PatchAt(place);
            for (int i = 0; i < 24; i++)
            {
                int channel = i / 8, y = i % 4 / 2, x = i % 2;
                Assert.Equal(channel * 256 + ((row * p + y) * width + column * p + x) * 3 + channel, packed[place * 24 + i]);
            }
        }
    }

    [Fact]
    public void A_picture_of_the_tables_own_grid_gets_the_table()
    {
        float[] table = TestValues.Random(1, 16 * 16 * 5);
        var grid = new PatchGrid(new TokenGrid(8, 8), windowTokens: 0);
        float[] positions = grid.Positions(table, side: 16);
        for (int p = 0; p < grid.Patches; p++)
        {
            (int row, int column) = grid.PatchAt(p);
            Assert.Equal(table[((row * 16 + column) * 5)..((row * 16 + column + 1) * 5)], positions[(p * 5)..(p * 5 + 5)]);
        }
    }
}
