using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Draws the objects of one picture after the other, all of one size, row by row: no second picture is held, and a warm picture allocates
/// nothing. One thread shows; any number may copy rows of what is shown.
/// </summary>
public sealed class OverlayPainter : IDisposable
{
    private readonly int _imageWidth;
    private readonly OverlayStyle _style;
    private readonly OverlayLabels? _labels;
    private readonly int _line, _fill;
    private RgbImage? _image;
    private IReadOnlyList<ObjectResult> _objects = [];

    /// <summary>Prepares for pictures of a size.</summary>
    /// <param name="width">Their columns.</param>
    /// <param name="height">Their rows.</param>
    /// <param name="style">How objects are drawn; null for the default.</param>
    /// <exception cref="MediaException">The style names a file that is no font.</exception>
    public OverlayPainter(int width, int height, OverlayStyle? style = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        (_imageWidth, Height, _style) = (width, height, style ?? OverlayStyle.Default);
        Width = _style.SideBySide ? 2 * width : width;
        // A line that can be seen when a large picture is shown on a screen.
        (_line, _fill) = (1 + Math.Max(width, height) / 600, (int)Math.Round(256 * _style.Fill));
        if (_style.Labels) _labels = new OverlayLabels(width, height, _style.FontFile);
    }

    /// <summary>Columns of what is drawn: those of the pictures, or twice as many side by side.</summary>
    public int Width { get; }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Takes the next picture; masks are drawn in order, later ones over earlier ones, then the labels.</summary>
    /// <param name="image">The picture; it is not changed.</param>
    /// <param name="objects">The objects on it; the list must stay as it is while rows are copied.</param>
    /// <exception cref="MediaException">The picture or a mask has another size.</exception>
    public void Show(RgbImage image, IReadOnlyList<ObjectResult> objects)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(objects);
        if (image.Width != _imageWidth || image.Height != Height)
            throw new MediaException($"The picture has {image.Width}×{image.Height} pixels, those before {_imageWidth}×{Height}.");
        for (int i = 0; i < objects.Count; i++)
        {
            Mask mask = objects[i].Mask;
            if (mask.Width != image.Width || mask.Height != image.Height)
                throw new MediaException($"The mask of object {objects[i].Id} has {mask.Width}×{mask.Height} pixels, "
                    + $"the picture {image.Width}×{image.Height}.");
        }
        (_image, _objects) = (image, objects);
        _labels?.Show(objects);
    }

    /// <summary>Draws a row of what is shown.</summary>
    /// <param name="y">The row.</param>
    /// <param name="pixels">Gets it: 3 × <see cref="Width"/> bytes, RGB.</param>
    /// <exception cref="InvalidOperationException">Nothing is shown.</exception>
    public void CopyRow(int y, Span<byte> pixels)
    {
        if (_image is not { } image) throw new InvalidOperationException("Show a picture first.");
        pixels = pixels[..(3 * Width)];
        if (_style.SideBySide)
        {
            image.Row(y).CopyTo(pixels);
            pixels = pixels[(3 * _imageWidth)..];
        }
        image.Row(y).CopyTo(pixels);
        for (int i = 0; i < _objects.Count; i++) DrawRow(pixels, _objects[i].Mask, y, Overlay.Colour(_objects[i].Id));
        _labels?.DrawRow(y, pixels);
    }

    /// <summary>Writes what is shown as an 8-bit RGB PNG; the file appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public void SavePng(string path) => PngWriter.Write(path, Width, Height, PngKind.Rgb, CopyRow);

    /// <summary>What is shown as a new picture.</summary>
    public RgbImage ToImage()
    {
        byte[] pixels = new byte[3 * Width * Height];
        for (int y = 0; y < Height; y++) CopyRow(y, pixels.AsSpan(3 * Width * y, 3 * Width));
        return new RgbImage(Width, Height, pixels);
    }

    /// <inheritdoc/>
    public void Dispose() => _labels?.Dispose();

    private void DrawRow(Span<byte> pixels, Mask mask, int y, (byte R, byte G, byte B) colour)
    {
        ReadOnlySpan<byte> inside = mask.Row(y), above = mask.Row(Math.Max(y - _line, 0)),
            below = mask.Row(Math.Min(y + _line, mask.Height - 1));
        for (int x = 0; x < mask.Width; x++)
        {
            int left = Math.Max(x - _line, 0), right = Math.Min(x + _line, mask.Width - 1);
            Span<byte> pixel = pixels.Slice(x * 3, 3);
            if (inside[x] == 0)
            {
                // An object may have its own colour's mask: the white line shows it all the same.
                if (_style.Outline && (inside[left] | inside[right] | above[x] | below[x]) != 0) pixel.Fill(255);
                continue;
            }
            bool edge = _style.Outline && (inside[left] & inside[right] & above[x] & below[x]) == 0;
            int share = edge ? 256 : _fill;
            pixel[0] = Blend(pixel[0], colour.R, share);
            pixel[1] = Blend(pixel[1], colour.G, share);
            pixel[2] = Blend(pixel[2], colour.B, share);
        }
    }

    private static byte Blend(byte picture, byte colour, int share) => (byte)((picture * (256 - share) + colour * share + 128) >> 8);
}
