using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>One mask as an 8-bit grey PNG: 255 inside, 0 outside.</summary>
public static class MaskFile
{
    /// <summary>Writes a mask; the file appears whole or not at all.</summary>
    /// <exception cref="Core.MediaException">It cannot be written.</exception>
    public static void Save(string path, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        ReadOnlySpan<byte> inside = mask.Pixels;
        var grey = new byte[inside.Length];
        for (int i = 0; i < grey.Length; i++) grey[i] = (byte)(inside[i] * 255);
        // Rows of a mask are much like the row above: this one filter compresses as well as trying all, in a third of the time.
        var options = new SKPngEncoderOptions(SKPngEncoderFilterFlags.Up, 4);
        using SKData png = ImageFile.Encode(grey, mask.Width, mask.Height, SKColorType.Gray8, pixels => pixels.Encode(options), path);
        AtomicFile.Write(path, png.AsSpan());
    }

    /// <summary>Reads a mask from a grey or palette PNG: any value but 0 is inside.</summary>
    /// <exception cref="Core.MediaException">As for <see cref="ImageFile.LoadLabels"/>.</exception>
    public static Mask Load(string path)
    {
        (int width, int height, byte[] labels) = ImageFile.LoadLabels(path);
        for (int i = 0; i < labels.Length; i++) labels[i] = labels[i] != 0 ? (byte)1 : (byte)0;
        return new Mask(width, height, labels);
    }
}
