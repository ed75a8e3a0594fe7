using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>What a mask covers of a picture, as an RGBA PNG of the picture's size: opaque inside, transparent outside.</summary>
public static class CutoutFile
{
    /// <summary>Writes a cut-out; the file appears whole or not at all.</summary>
    /// <exception cref="MediaException">The mask has another size, or the file cannot be written.</exception>
    public static void Save(string path, RgbImage image, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(mask);
        if (mask.Width != image.Width || mask.Height != image.Height)
            throw new MediaException($"{path}: the mask has {mask.Width}×{mask.Height} pixels, "
                + $"the picture {image.Width}×{image.Height}.");
        PngWriter.Write(path, image.Width, image.Height, PngKind.Rgba, (y, pixels) =>
        {
            ReadOnlySpan<byte> colours = image.Row(y), inside = mask.Row(y);
            pixels.Clear();
            // Colours outside are not kept: who gets the file gets the object alone.
            for (int x = 0; x < inside.Length; x++)
                if (inside[x] != 0)
                {
                    colours.Slice(3 * x, 3).CopyTo(pixels[(4 * x)..]);
                    pixels[4 * x + 3] = byte.MaxValue;
                }
        });
    }
}
