using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A picture of 8-bit RGB, interleaved, row-major. Never changes after it was made.</summary>
public sealed class RgbImage
{
    private readonly byte[] _pixels;

    /// <summary>Wraps pixels; the array is not copied and must not be changed afterwards.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">[height, width, 3].</param>
    /// <exception cref="MediaException">The size is outside the limits of <see cref="PixelSize"/>, or does not fit the array.</exception>
    public RgbImage(int width, int height, byte[] pixels)
    {
        ArgumentNullException.ThrowIfNull(pixels);
        PixelSize.Check(width, height, "The image");
        if (pixels.Length != width * height * 3)
            throw new MediaException($"An RGB image of {width}×{height} pixels has {width * height * 3} bytes, not {pixels.Length}.");
        (Width, Height, _pixels) = (width, height, pixels);
    }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>[Height, Width, 3], 0…255.</summary>
    public ReadOnlySpan<byte> Pixels => _pixels;

    /// <summary>The same picture, for calls that take any pixel format.</summary>
    public ImageView View => new(_pixels, Width, Height);

    /// <summary>One row, [Width, 3].</summary>
    public ReadOnlySpan<byte> Row(int y) => _pixels.AsSpan(y * Width * 3, Width * 3);
}
