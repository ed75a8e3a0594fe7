using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A binary mask over an image: one byte per pixel, 1 inside, 0 outside, row-major. Never changes after it was made.</summary>
public sealed class Mask
{
    private readonly byte[] _pixels;

    /// <summary>Wraps pixels; the array is not copied and must not be changed afterwards.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">[height, width], every value 0 or 1.</param>
    /// <exception cref="MediaException">
    /// The size is outside the limits of <see cref="PixelSize"/> or does not fit the array, or a value is above 1.
    /// </exception>
    public Mask(int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        PixelSize.Check(width, height, "The mask");
        if (pixels.Length != width * height)
            throw new MediaException($"A mask of {width}×{height} pixels has {width * height} bytes, not {pixels.Length}.");
        int other = pixels.AsSpan().IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (other >= 0)
            throw new MediaException($"A mask holds 0 and 1 only; pixel ({other % width}, {other / width}) is {pixels[other]}.");
        (Width, Height, _pixels) = (width, height, pixels);
        Area = pixels.AsSpan().Count((byte)1);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[Height, Width], 0 or 1.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>Number of pixels inside.</summary>
    public long Area { get; }

    /// <summary>Whether a pixel is inside.</summary>
    public bool this[int x, int y] => (uint)x < (uint)Width && (uint)y < (uint)Height
        ? _pixels[y * Width + x] != 0
        : throw new ArgumentOutOfRangeException(nameof(x), $"Pixel ({x}, {y}) is outside a mask of {Width}×{Height}.");

    /// <summary>One row, [Width].</summary>
    public ReadOnlySpan<byte> Row(int y) => _pixels.AsSpan(y * Width, Width);

    /// <summary>
    /// The smallest box around the pixels inside (left, top, width, height), in pixels; null if there is none. Computed at each call.
    /// </summary>
    public (int X, int Y, int Width, int Height)? BoundingBox
    {
        get
        {
            int left = Width, right = -1, top = -1, bottom = -1;
            for (int y = 0; y < Height; y++)
            {
                int first = Row(y).IndexOf((byte)1);
                if (first < 0) continue;
                if (top < 0) top = y;
                bottom = y;
                left = Math.Min(left, first);
                right = Math.Max(right, Row(y).LastIndexOf((byte)1));
            }
            return top < 0 ? null : (left, top, right - left + 1, bottom - top + 1);
        }
    }
}
