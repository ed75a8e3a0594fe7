using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>One mask as an 8-bit grey PNG: 255 inside, 0 outside.</summary>
public static class MaskFile
{
    /// <summary>Writes a mask; the file appears whole or not at all.</summary>
    /// <exception cref="Core.MediaException">It cannot be written.</exception>
    public static void Save(string path, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        PngWriter.Write(path, mask.Width, mask.Height, PngKind.Grey, (y, pixels) =>
        {
            ReadOnlySpan<byte> inside = mask.Row(y);
            for (int x = 0; x < pixels.Length; x++) pixels[x] = (byte)(inside[x] * 255);
        });
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
