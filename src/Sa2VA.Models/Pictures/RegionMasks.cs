using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Regions that a prompt speaks of, as masks over the whole image.</summary>
public static class RegionMasks
{
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
}
