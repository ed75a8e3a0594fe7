using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>
/// Regions that a prompt speaks of, brought to the cells of the token grid: a nearest resize whose ratio is a float32
/// (docs/model/preprocessing.md#region-cells). A result is a mask of n×n cells; its area is the region's token count, 0 for a region that
/// vanished.
/// </summary>
public static class RegionMasks
{
    /// <summary>Cells of one region.</summary>
    /// <param name="region">The region, over the whole image, of any size.</param>
    /// <param name="side">Cells per side.</param>
    /// <returns>[side, side].</returns>
    public static Mask Cells(Mask region, int side)
    {
        ArgumentNullException.ThrowIfNull(region);
        return Pick(region.Pixels, region.Width, region.Height, side, 1);
    }

    /// <summary>Cells of several regions.</summary>
    /// <param name="regions">Regions over the whole image; their sizes may differ.</param>
    /// <param name="side">Cells per side.</param>
    /// <returns>[side, side] for each region, in order.</returns>
    public static Mask[] Cells(IReadOnlyList<Mask> regions, int side)
    {
        ArgumentNullException.ThrowIfNull(regions);
        var cells = new Mask[regions.Count];
        for (int i = 0; i < cells.Length; i++) cells[i] = Cells(regions[i], side);
        return cells;
    }

    /// <summary>Cells of the regions of a label image: value k ≥ 1 is region k, 0 none.</summary>
    /// <param name="labels">[height, width].</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="side">Cells per side.</param>
    /// <returns>[side, side] for each region from 1 to the largest label; a label between that does not occur gives an empty one.</returns>
    /// <exception cref="MediaException">The size is outside the limits of <see cref="PixelSize"/> or does not fit the labels.</exception>
    public static Mask[] Cells(ReadOnlySpan<byte> labels, int width, int height, int side)
    {
        var cells = new Mask[Count(labels, width, height)];
        for (int i = 0; i < cells.Length; i++) cells[i] = Pick(labels, width, height, side, (byte)(i + 1));
        return cells;
    }

    /// <summary>Splits a label image at full size: value k ≥ 1 is region k, 0 none.</summary>
    /// <param name="labels">[height, width].</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <returns>[height, width] for each region from 1 to the largest label.</returns>
    /// <exception cref="MediaException">The size is outside the limits of <see cref="PixelSize"/> or does not fit the labels.</exception>
    public static Mask[] FromLabels(ReadOnlySpan<byte> labels, int width, int height)
    {
        var masks = new Mask[Count(labels, width, height)];
        for (int i = 0; i < masks.Length; i++)
        {
            var pixels = new byte[labels.Length];
            for (int p = 0; p < pixels.Length; p++) pixels[p] = labels[p] == i + 1 ? (byte)1 : (byte)0;
            masks[i] = new Mask(width, height, pixels);
        }
        return masks;
    }

    private static int Count(ReadOnlySpan<byte> labels, int width, int height)
    {
        PixelSize.Check(width, height, "The label image");
        if (labels.Length != width * height)
            throw new MediaException($"A label image of {width}×{height} pixels has {width * height} bytes, not {labels.Length}.");
        byte largest = 0;
        foreach (byte label in labels) largest = Math.Max(largest, label);
        return largest;
    }

    private static Mask Pick(ReadOnlySpan<byte> labels, int width, int height, int side, byte label)
    {
        PixelSize.Check(side, side, "The grid of region cells");
        var cells = new byte[side * side];
        for (int i = 0; i < cells.Length; i++)
        {
            int y = Source(i / side, height, side), x = Source(i % side, width, side);
            cells[i] = labels[y * width + x] == label ? (byte)1 : (byte)0;
        }
        return new Mask(side, side, cells);
    }

    private static int Source(int target, int from, int to) => Math.Min((int)MathF.Floor(target * ((float)from / to)), from - 1);
}
