using System.Runtime.InteropServices;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// The pixels of a picture that arrives row by row as it is stored and is put where it is seen, so that it is held once only.
/// </summary>
internal sealed class UprightRgb
{
    private const int LargePicture = 1 << 25, Bytes = 3;

    private readonly int _width, _height, _columns;

    /// <summary>Where the first stored pixel goes, and how far on the next to the right and the next below it lie.</summary>
    private readonly int _first, _right, _down;

    /// <summary>Taken when the first row is there: of a file that cannot be decoded there is none.</summary>
    private byte[]? _pixels;

    /// <param name="width">Columns as stored.</param>
    /// <param name="height">Rows as stored.</param>
    /// <param name="origin">How the picture is to be turned.</param>
    public UprightRgb(int width, int height, SKEncodedOrigin origin)
    {
        _columns = width;
        bool turns = Orientation.Turns(origin);
        (_width, _height) = turns ? (height, width) : (width, height);
        // The name says where row 0 and column 0 of the stored picture are to be seen.
        bool fromRight = origin is SKEncodedOrigin.TopRight or SKEncodedOrigin.BottomRight or SKEncodedOrigin.RightTop
            or SKEncodedOrigin.RightBottom;
        bool fromBottom = origin is SKEncodedOrigin.BottomLeft or SKEncodedOrigin.BottomRight or SKEncodedOrigin.LeftBottom
            or SKEncodedOrigin.RightBottom;
        int across = fromRight ? -Bytes : Bytes, along = fromBottom ? -_width * Bytes : _width * Bytes;
        _first = (fromRight ? (_width - 1) * Bytes : 0) + (fromBottom ? (_height - 1) * _width * Bytes : 0);
        (_right, _down) = turns ? (along, across) : (across, along);
    }

    /// <summary>The picture as it is seen. Nothing may be put after it was taken.</summary>
    public RgbImage Image => new(_width, _height, Pixels);

    private byte[] Pixels => _pixels ??= NewPixels();

    /// <summary>Puts pixels of one stored row.</summary>
    /// <param name="rgb">The pixels.</param>
    /// <param name="y">The row.</param>
    /// <param name="x">Column of the first pixel.</param>
    /// <param name="step">Columns from one pixel to the next.</param>
    public void Put(ReadOnlySpan<byte> rgb, int y, int x, int step)
    {
        byte[] pixels = Pixels;
        int at = _first + y * _down + x * _right, next = step * _right;
        if (next == Bytes)
        {
            rgb.CopyTo(pixels.AsSpan(at));
            return;
        }
        for (int from = 0; from < rgb.Length; from += Bytes, at += next)
            (pixels[at], pixels[at + 1], pixels[at + 2]) = (rgb[from], rgb[from + 1], rgb[from + 2]);
    }

    /// <summary>Puts whole stored rows. Alpha is dropped, colours under it stay as they are.</summary>
    /// <param name="rgba">Rows of pixels, not premultiplied.</param>
    /// <param name="top">The first row.</param>
    public void PutRgba(ReadOnlySpan<byte> rgba, int top)
    {
        byte[] pixels = Pixels;
        ReadOnlySpan<uint> stored = MemoryMarshal.Cast<byte, uint>(rgba);
        for (int y = top; !stored.IsEmpty; y++, stored = stored[_columns..])
        {
            int at = _first + y * _down;
            for (int x = 0; x < _columns; x++, at += _right)
            {
                uint pixel = stored[x];
                (pixels[at], pixels[at + 1], pixels[at + 2]) = ((byte)pixel, (byte)(pixel >> 8), (byte)(pixel >> 16));
            }
        }
    }

    private byte[] NewPixels()
    {
        // Pictures as large as this pile up until the collector happens to run.
        int size = _width * _height * Bytes;
        if (size >= LargePicture) GC.Collect();
        return new byte[size];
    }
}
