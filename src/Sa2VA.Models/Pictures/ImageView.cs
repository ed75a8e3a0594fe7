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
    /// <summary>
    /// A plane of luma, and one of a quarter of the size with both chromas, U before V: <see cref="ImageView.Nv12(PixelPlane, PixelPlane,
    /// int, int, YuvEncoding)"/>.
    /// </summary>
    Nv12,
    /// <summary>
    /// A plane of luma, and for U and V each one of a quarter of the size: <see cref="ImageView.I420(PixelPlane, PixelPlane, PixelPlane,
    /// int, int, YuvEncoding)"/>.
    /// </summary>
    I420,
}

/// <summary>A picture in memory that its owner keeps, such as a camera's or a window's: read while a call runs, never held on to.</summary>
public readonly ref struct ImageView
{
    private readonly ReadOnlySpan<byte> _u, _v;
    private readonly int _chromaStride;
    private readonly YuvColors? _colors;

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
            PixelFormat.Nv12 or PixelFormat.I420 => throw new MediaException(
                $"A picture of {format} has planes and an encoding of its colours: make the view with ImageView.{format}."),
            _ => throw new MediaException($"There is no pixel format {(int)format}."),
        };
        Stride = StrideOf(new PixelPlane(pixels, stride), width * BytesPerPixel, height, "A picture", (width, height, format));
        Pixels = pixels;
        (Width, Height, Format) = (width, height, format);
    }

    private ImageView(PixelPlane luma, PixelPlane u, PixelPlane v, int width, int height, PixelFormat format, YuvEncoding encoding)
    {
        PixelSize.Check(width, height, "The picture");
        if (!Enum.IsDefined(encoding)) throw new MediaException($"There is no encoding {(int)encoding} of luma and chroma.");
        (int, int, PixelFormat) picture = (width, height, format);
        BytesPerPixel = 1;
        Stride = StrideOf(luma, width, height, "The luma", picture);
        int columns = (width + 1) / 2, rows = (height + 1) / 2;
        if (format == PixelFormat.Nv12)
        {
            _chromaStride = StrideOf(u, 2 * columns, rows, "The chroma", picture);
            _u = u.Bytes;
            _v = u.Bytes[1..];
        }
        else
        {
            _chromaStride = StrideOf(u, columns, rows, "The U plane", picture);
            int stride = StrideOf(v, columns, rows, "The V plane", picture);
            if (stride != _chromaStride)
                throw new MediaException($"The planes U and V have strides of {_chromaStride} and {stride} bytes; they must agree.");
            _u = u.Bytes;
            _v = v.Bytes;
        }
        Pixels = luma.Bytes;
        _colors = YuvColors.Of(encoding);
        (Width, Height, Format) = (width, height, format);
    }

    /// <summary>
    /// Describes a picture with luma and interleaved chroma, as most cameras and hardware decoders give it. A chroma sample counts for its
    /// block of 2×2 pixels; nothing is interpolated.
    /// </summary>
    /// <param name="luma">[height, width].</param>
    /// <param name="chroma">[⌈height/2⌉, ⌈width/2⌉, 2], U before V.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="encoding">What the values mean.</param>
    /// <exception cref="MediaException">Sizes do not fit, or the encoding is none.</exception>
    public static ImageView Nv12(PixelPlane luma, PixelPlane chroma, int width, int height, YuvEncoding encoding) =>
        new(luma, chroma, default, width, height, PixelFormat.Nv12, encoding);

    /// <summary>Describes a picture whose planes follow each other without padding.</summary>
    /// <param name="pixels">Luma, then chroma.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="encoding">What the values mean.</param>
    /// <exception cref="MediaException">Sizes do not fit, or the encoding is none.</exception>
    public static ImageView Nv12(ReadOnlySpan<byte> pixels, int width, int height, YuvEncoding encoding)
    {
        (int luma, int chroma) = PlaneBytes(pixels, width, height, PixelFormat.Nv12);
        return Nv12(pixels[..luma], pixels.Slice(luma, 2 * chroma), width, height, encoding);
    }

    /// <summary>
    /// Describes a picture with luma and two planes of chroma. A chroma sample counts for its block of 2×2 pixels; nothing is interpolated.
    /// </summary>
    /// <param name="luma">[height, width].</param>
    /// <param name="u">Blue's chroma [⌈height/2⌉, ⌈width/2⌉].</param>
    /// <param name="v">Red's chroma, with the stride of <paramref name="u"/>.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="encoding">What the values mean.</param>
    /// <exception cref="MediaException">Sizes do not fit, or the encoding is none.</exception>
    public static ImageView I420(PixelPlane luma, PixelPlane u, PixelPlane v, int width, int height, YuvEncoding encoding) =>
        new(luma, u, v, width, height, PixelFormat.I420, encoding);

    /// <summary>Describes a picture whose planes follow each other without padding.</summary>
    /// <param name="pixels">Luma, then U, then V.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="encoding">What the values mean.</param>
    /// <exception cref="MediaException">Sizes do not fit, or the encoding is none.</exception>
    public static ImageView I420(ReadOnlySpan<byte> pixels, int width, int height, YuvEncoding encoding)
    {
        (int luma, int chroma) = PlaneBytes(pixels, width, height, PixelFormat.I420);
        return I420(pixels[..luma], pixels.Slice(luma, chroma), pixels.Slice(luma + chroma, chroma), width, height, encoding);
    }

    /// <summary>All bytes; of a picture in planes those of its luma.</summary>
    public ReadOnlySpan<byte> Pixels { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Bytes of a pixel.</summary>
    public PixelFormat Format { get; }

    /// <summary>Bytes from a row of <see cref="Pixels"/> to the next.</summary>
    public int Stride { get; }

    private int BytesPerPixel { get; }

    /// <summary>One row of <see cref="Pixels"/> as it is stored, without padding.</summary>
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
            case PixelFormat.Nv12 or PixelFormat.I420:
                int chroma = y / 2 * _chromaStride;
                _colors!.Row(row, _u[chroma..], _v[chroma..], Format == PixelFormat.Nv12 ? 2 : 1, rgb);
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
    /// <summary>Checks that rows fit their bytes.</summary>
    /// <returns>Bytes from a row to the next.</returns>
    private static int StrideOf(PixelPlane plane, int row, int rows, string what, (int Width, int Height, PixelFormat Format) picture)
    {
        int stride = plane.Stride == 0 ? row : plane.Stride, bytes = plane.Bytes.Length;
        if (stride < 0)
            throw new MediaException(
                $"A stride of {stride} bytes is negative; a picture that is stored bottom-up has to be turned over first.");
        string Name() => $"{what} of {picture.Width}×{picture.Height} pixels of {picture.Format}";
        if (stride < row) throw new MediaException($"A stride of {stride} bytes is shorter than a row of {row}: {Name()}.");
        long whole = (long)stride * rows, least = whole - stride + row;
        if (bytes >= least && bytes <= whole) return stride;
        string range = least == whole ? $"{whole}" : $"{least} to {whole}";
        throw new MediaException($"{Name()} with {stride} bytes a row has {range} bytes, not {bytes}.");
    }

    private static (int Luma, int Chroma) PlaneBytes(ReadOnlySpan<byte> pixels, int width, int height, PixelFormat format)
    {
        PixelSize.Check(width, height, "The picture");
        int luma = width * height, chroma = (width + 1) / 2 * ((height + 1) / 2);
        return pixels.Length == luma + 2 * chroma
            ? (luma, chroma)
            : throw new MediaException(
                $"A picture of {width}×{height} pixels of {format} has {luma + 2 * chroma} bytes, not {pixels.Length}; if its rows are "
                + "padded, give its planes with their strides.");
    }
}
