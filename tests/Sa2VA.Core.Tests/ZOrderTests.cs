using Sa2VA.Core;

namespace Sa2VA.Tests;

public class ZOrderTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(8, 8, 8)]
    [InlineData(48, 32, 16)]
    [InlineData(6, 10, 2)]
    [InlineData(7, 4, 1)]
    [InlineData(256, 256, 256)]
    public void Squares_of_two_to_the_n_are_runs_of_rows_and_blocks_are_four(int height, int width, int side)
    {
        var map = new Shape(height, width, 3);
        Assert.Equal(side, ZOrder.Side(map));
        var seen = new bool[height * width];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                int row = ZOrder.Row(map, y, x);
                Assert.False(seen[row]);
                seen[row] = true;
                for (int square = 2; square <= side; square *= 2)
                    Assert.Equal(ZOrder.Row(map, y / square * square, x / square * square), row / (square * square) * (square * square));
                if (side > 1) Assert.Equal(ZOrder.Row(new Shape(height / 2, width / 2, 3), y / 2, x / 2), row / 4);
                if (side > 1) Assert.Equal(y % 2 * 2 + x % 2, row % 4);
            }
    }

    [Fact]
    public void Values_are_put_where_their_rows_are()
    {
        var map = new Shape(2, 4, 2);
        float[] raster = [.. Enumerable.Range(0, 16).Select(i => (float)i)], ordered = new float[16];
        ZOrder.Permute(map, raster, ordered);
        Assert.Equal([0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15], ordered);
    }
}
