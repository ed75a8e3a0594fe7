using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>
/// Reads the values of grey and palette PNG files of up to 8 bits as they are stored: labels are numbers, so neither are indices turned
/// into the colours of their palette, nor greys of fewer bits spread over 0…255.
/// </summary>
internal static class LabelPng
{
    public static (int Width, int Height, byte[] Labels) Read(ReadOnlySpan<byte> file, string name)
    {
        if (Container.FormatOf(file) is not PictureFormat.Png)
            throw new MediaException(Container.FormatOf(file) is { } other
                ? $"{name} is a {other.Words()} file; label maps and masks must be PNG."
                : ForeignFile.Refusal(file, name));
        if (!Orientation.IsStoredUpright(PngContainer.Walk(file, name).Origin))
            throw new MediaException($"{name} has an EXIF orientation, which label maps and masks must not have; save it as it is seen.");
        PngPixels png = PngPixels.Read(file, name);
        if (png.Type is not (PngPixels.Grey or PngPixels.Palette) || png.Bits > 8)
            throw new MediaException($"{name} is not a grey or palette PNG of at most 8 bits a pixel; convert it.");
        byte[] labels = new byte[png.Width * png.Height], values = new byte[png.Width];
        bool whole = png.Rows((packed, columns, y, x, step) =>
        {
            png.Unpack(packed, values.AsSpan(0, columns));
            for (int i = 0, to = y * png.Width + x; i < columns; i++, to += step) labels[to] = values[i];
        });
        // A picture may be shown in spite of that; labels are taken at their word.
        if (!whole) throw new MediaException($"{name} holds more pixels than its header says, or a wrong checksum; the file is damaged.");
        return (png.Width, png.Height, labels);
    }
}
