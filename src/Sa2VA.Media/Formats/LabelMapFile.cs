using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Several masks as one palette PNG, as DAVIS and YouTube-VOS have them: value 0 outside, k inside of object k − 1, in the colours of
/// DAVIS. <see cref="ImageFile.LoadLabels"/> reads them.
/// </summary>
public static class LabelMapFile
{
    /// <summary>The most objects of a label map.</summary>
    public const int MaxObjects = 255;

    private static readonly byte[] Palette =
        [.. Enumerable.Range(0, 256).SelectMany(i => (byte[])[Channel(i), Channel(i >> 1), Channel(i >> 2)])];

    /// <summary>The colour of a value in the palette of DAVIS (and PASCAL VOC).</summary>
    /// <param name="label">0…255.</param>
    public static (byte R, byte G, byte B) Colour(int label)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)label, (uint)MaxObjects, nameof(label));
        return (Palette[3 * label], Palette[3 * label + 1], Palette[3 * label + 2]);
    }

    /// <summary>The label of every pixel. Where masks overlap, the object with the higher number lies on top.</summary>
    /// <param name="masks">Objects by number, each on the same picture.</param>
    /// <returns>[height, width].</returns>
    /// <exception cref="MediaException">There is no object, one has another size, or a number is above 254.</exception>
    public static byte[] Labels(IReadOnlyList<(int Id, Mask Mask)> masks)
    {
        ArgumentNullException.ThrowIfNull(masks);
        if (masks.Count == 0) throw new MediaException("A label map needs an object.");
        Mask first = masks[0].Mask;
        var labels = new byte[first.Width * first.Height];
        foreach ((int id, Mask mask) in masks.OrderBy(m => m.Id))
        {
            if (id is < 0 or >= MaxObjects)
                throw new MediaException($"Object {id} has no place in a label map of {MaxObjects} objects; write masks of their own.");
            if (mask.Width != first.Width || mask.Height != first.Height)
                throw new MediaException($"Object {id} has a mask of {mask.Width}×{mask.Height} pixels, "
                    + $"the first one {first.Width}×{first.Height}.");
            ReadOnlySpan<byte> pixels = mask.Pixels;
            for (int i = 0; i < labels.Length; i++)
                if (pixels[i] != 0) labels[i] = (byte)(id + 1);
        }
        return labels;
    }

    /// <summary>Writes labels; the file appears whole or not at all.</summary>
    /// <param name="path">Where.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="labels">[height, width].</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public static void Save(string path, int width, int height, byte[] labels)
    {
        ArgumentNullException.ThrowIfNull(labels);
        PixelSize.Check(width, height, path);
        if (labels.Length != width * height)
            throw new MediaException($"{path}: {labels.Length} labels are no picture of {width}×{height} pixels.");
        PngWriter.Write(path, width, height, PngKind.Palette, (y, pixels) => labels.AsSpan(y * width, width).CopyTo(pixels), Palette);
    }

    // Bits 0, 3 and 6 of the label are the upper bits of a channel, in that order.
    private static byte Channel(int label) => (byte)((label & 1) << 7 | (label >> 3 & 1) << 6 | (label >> 6 & 1) << 5);
}
