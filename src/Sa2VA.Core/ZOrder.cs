namespace Sa2VA.Core;

/// <summary>
/// Maps whose pixels lie in Morton order: the bits of x and y take turns, so that each aligned square of 2^n × 2^n pixels is one run of
/// rows, and the four that pooling makes one of are neighbours. A map is cut into the largest such squares that fill it; those follow each
/// other line by line.
/// </summary>
public static class ZOrder
{
    /// <summary>
    /// Side of the squares that fill a map [H, W, C]: the largest power of two that divides both; 1 where there is no order.
    /// </summary>
    public static int Side(Shape map)
    {
        int sides = map[0] | map[1];
        return sides & -sides;
    }

    /// <summary>The row in which a map of this shape has a pixel.</summary>
    public static int Row(Shape map, int y, int x)
    {
        int side = Side(map);
        return ((y / side * (map[1] / side) + x / side) * side * side) | Spread(x % side) | Spread(y % side) << 1;
    }

    /// <summary>A raster map's values, row by row in this order.</summary>
    public static void Permute(Shape map, ReadOnlySpan<float> raster, Span<float> ordered)
    {
        int channels = map.Last;
        for (int y = 0; y < map[0]; y++)
            for (int x = 0; x < map[1]; x++)
                raster.Slice((y * map[1] + x) * channels, channels).CopyTo(ordered.Slice(Row(map, y, x) * channels, channels));
    }

    /// <summary>Zeros between the bits of a number below 2^16.</summary>
    private static int Spread(int bits)
    {
        bits = (bits | bits << 8) & 0x00ff00ff;
        bits = (bits | bits << 4) & 0x0f0f0f0f;
        bits = (bits | bits << 2) & 0x33333333;
        return (bits | bits << 1) & 0x55555555;
    }
}
