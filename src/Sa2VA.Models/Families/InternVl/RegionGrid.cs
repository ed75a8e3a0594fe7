namespace Sa2VA.Models;

/// <summary>
/// A region that a prompt speaks of, brought to the cells of the token grid: a nearest resize whose ratio is a float32
/// (docs/model/preprocessing.md#region-cells).
/// </summary>
internal static class RegionGrid
{
    /// <summary>Cells of one region.</summary>
    /// <param name="region">The region, over the whole image, of any size.</param>
    /// <param name="side">Cells per side.</param>
    /// <returns>[side, side]; the area is the region's token count, 0 for a region that vanished.</returns>
    public static Mask Cells(Mask region, int side)
    {
        var cells = new byte[side * side];
        for (int i = 0; i < cells.Length; i++)
        {
            int y = Source(i / side, region.Height, side), x = Source(i % side, region.Width, side);
            cells[i] = region.Pixels[y * region.Width + x];
        }
        return new Mask(side, side, cells);
    }

    private static int Source(int target, int from, int to) => Math.Min((int)MathF.Floor(target * ((float)from / to)), from - 1);
}
