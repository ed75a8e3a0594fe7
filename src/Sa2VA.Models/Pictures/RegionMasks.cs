using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Regions that a prompt speaks of, as masks over the whole image.</summary>
public static class RegionMasks
{
    /// <summary>Most pixels of all masks of a label image together.</summary>
    public const long MostPixels = 2_000_000_000;

    /// <summary>Splits a label image at full size: value k ≥ 1 is region k, 0 none.</summary>
    /// <param name="labels">[height, width].</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <returns>[height, width] for each region from 1 to the largest label.</returns>
    /// <exception cref="MediaException">
    /// The size is outside the limits of <see cref="PixelSize"/> or does not fit the labels, a label below the largest does not occur, or
    /// the masks together have more than <see cref="MostPixels"/> pixels.
    /// </exception>
    public static Mask[] FromLabels(ReadOnlySpan<byte> labels, int width, int height)
    {
        int count = Count(labels, width, height);
        for (int label = 1; label < count; label++)
        {
            if (!labels.Contains((byte)label))
            {
                if (!labels.ContainsAnyExcept((byte)0, (byte)count))
                    throw new MediaException($"The label image holds only region{count}: its pixels are 0 or {count}, as a mask's are. "
                        + "The value is the region's number: give the region's pixels the value 1, and others 0.");
                throw new MediaException(
                    $"The label image has pixels of value {count}, but none of value {label}: region{label} marks no pixel. Number "
                    + "the regions 1, 2, 3 and so on; 0 is no region.");
            }
        }
        if (count * (long)labels.Length > MostPixels)
        {
            throw new MediaException(
                $"{count} regions of {width}×{height} pixels are more than the {MostPixels} pixels that are accepted together; mark "
                + "fewer regions, or shrink the picture.");
        }
        var masks = new Mask[count];
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
}
