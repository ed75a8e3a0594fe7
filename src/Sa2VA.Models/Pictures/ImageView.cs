using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>How the bytes of a pixel are to be read. Alpha is ignored: blend a picture that needs it before.</summary>
public enum PixelFormat
{
    /// <summary>Red, green, blue.</summary>
    Rgb24,
    /// <summary>Blue, green, red.</summary>
    Bgr24,
    /// <summary>Red, green, blue, alpha.</summary>
    Rgba32,
    /// <summary>Blue, green, red, alpha.</summary>
    Bgra32,
    /// <summary>One level of grey.</summary>
    Gray8,
}

/// <summary>A picture in memory that its owner keeps, such as a camera's or a window's: read while a call runs, never held on to.</summary>
public readonly ref struct ImageView
{
    /// <summary>Describes pixels.</summary>
    /// <param name="pixels">
    /// Rows from the top, each <paramref name="stride"/> bytes after the one before; the last one may end with its last pixel.
    /// </param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="format">Bytes of a pixel.</param>
    /// <param name="stride">Bytes from a row to the next; 0 when rows follow each other without padding.</param>
    /// <exception cref="MediaException">
    /// The size is outside the limits of <see cref="PixelSize"/>, the format is none, the stride is negative or shorter than a row, or the
    /// pixels are fewer or more than that.
    /// </exception>
    public ImageView(ReadOnlySpan<byte> pixels, int width, int height, PixelFormat format = PixelFormat.Rgb24, int stride = 0)
    {
        PixelSize.Check(width, height, "The picture");
        BytesPerPixel = format switch
        {
            PixelFormat.Rgb24 or PixelFormat.Bgr24 => 3,
            PixelFormat.Rgba32 or PixelFormat.Bgra32 => 4,
            PixelFormat.Gray8 => 1,
            _ => throw new MediaException($"There is no pixel format {(int)format}."),
        };
        int row = width * BytesPerPixel;
        if (stride < 0)
            throw new MediaException(
                $"A stride of {stride} bytes is negative; a picture that is stored bottom-up has to be turned over first.");
        if (stride == 0) stride = row;
        if (stride < row)
            throw new MediaException($"A stride of {stride} bytes is shorter than a row: {width} pixels of {format} have {row}.");
        long whole = (long)stride * height, least = whole - stride + row;
        if (pixels.Length < least || pixels.Length > whole)
        {
            string bytes = least == whole ? $"{whole}" : $"{least} to {whole}";
            throw new MediaException(
                $"A picture of {width}×{height} pixels of {format} with {stride} bytes a row has {bytes} bytes, not {pixels.Length}.");
        }
        Pixels = pixels;
        (Width, Height, Format, Stride) = (width, height, format, stride);
    }

    /// <summary>All bytes.</summary>
    public ReadOnlySpan<byte> Pixels { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes of a pixel.</summary>
    public PixelFormat Format { get; }

    /// <summary>Bytes from a row to the next.</summary>
    public int Stride { get; }

    private int BytesPerPixel { get; }

    /// <summary>One row as it is stored, without padding.</summary>
    public ReadOnlySpan<byte> Row(int y) => Pixels.Slice(checked(y * Stride), Width * BytesPerPixel);

    /// <summary>A copy that stays.</summary>
    public RgbImage ToImage()
    {
        var rgb = new byte[Width * Height * 3];
        for (int y = 0; y < Height; y++) CopyRow(y, rgb.AsSpan(y * Width * 3, Width * 3));
        return new RgbImage(Width, Height, rgb);
    }

    /// <summary>Writes a row as red, green, blue.</summary>
    /// <param name="y">Row.</param>
    /// <param name="rgb">[Width, 3].</param>
    internal void CopyRow(int y, Span<byte> rgb)
    {
        ReadOnlySpan<byte> row = Row(y);
        switch (Format)
        {
            case PixelFormat.Rgb24:
                row.CopyTo(rgb);
                break;
            case PixelFormat.Gray8:
                for (int x = 0; x < row.Length; x++) rgb.Slice(x * 3, 3).Fill(row[x]);
                break;
            default:
                int red = Format is PixelFormat.Bgr24 or PixelFormat.Bgra32 ? 2 : 0, step = BytesPerPixel;
                for (int x = 0, at = 0; at < row.Length; x += 3, at += step)
                {
                    rgb[x] = row[at + red];
                    rgb[x + 1] = row[at + 1];
                    rgb[x + 2] = row[at + 2 - red];
                }
                break;
        }
    }
}
