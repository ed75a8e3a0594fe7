using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Resizes 8-bit RGB exactly as Pillow before version 13 does with BICUBIC: horizontally first, rounded to bytes, then vertically; a pass
/// whose size stays the same is skipped (docs/model/preprocessing.md#bicubic-resize). Keeps the weights of sizes seen before, so
/// equal-sized frames allocate nothing. Not for use by two threads at a time.
/// </summary>
public sealed class PillowBicubic
{
    /// <summary>A stream needs two or four pairs; a hostile one must not collect them without end.</summary>
    private const int MaxCachedTaps = 16;

    private readonly Dictionary<(int From, int To), PillowTaps> _taps = [];
    private byte[] _padded = [], _ring = [];
    private int[] _sums = [];

    /// <summary>Resizes an image; the aspect ratio is not kept.</summary>
    /// <param name="image">The source.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <returns>A new image, or the same one if it has that size.</returns>
    /// <exception cref="MediaException">The new size is outside the limits of <see cref="PixelSize"/>.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(image);
        PixelSize.Check(width, height, "The target of a resize");
        if (image.Width == width && image.Height == height) return image;
        var target = new byte[width * height * 3];
        new PillowBicubic().Resize(image.View, target, width, height);
        return new RgbImage(width, height, target);
    }

    /// <summary>Resizes a picture into a buffer of the caller. The source is converted row by row: no copy of it is made.</summary>
    /// <param name="source">The source, in any format.</param>
    /// <param name="target">[h2, w2, 3], RGB; must not overlap the source.</param>
    /// <param name="w2">Columns of the target.</param>
    /// <param name="h2">Rows of the target.</param>
    /// <exception cref="MediaException">A size is outside the limits of <see cref="PixelSize"/>, or does not fit its span.</exception>
    public void Resize(ImageView source, Span<byte> target, int w2, int h2)
    {
        PixelSize.Check(source.Width, source.Height, "The source of a resize");
        PixelSize.Check(w2, h2, "The target of a resize");
        if (target.Length != w2 * h2 * 3)
            throw new MediaException($"A resize to RGB {w2}×{h2} needs {w2 * h2 * 3} bytes, not {target.Length}.");
        int w = source.Width, stride = w2 * 3;
        if (source.Height != h2) Vertical(source, target, w2, h2);
        else if (w == w2)
            for (int y = 0; y < h2; y++) source.CopyRow(y, target.Slice(y * stride, stride));
        else
        {
            PillowTaps taps = Taps(w, w2);
            for (int y = 0; y < h2; y++) HorizontalPass(source, y, target.Slice(y * stride, stride), taps);
        }
    }

    /// <summary>Makes target rows in order. Only as many horizontally resized rows are held as one target row is made of.</summary>
    private void Vertical(ImageView source, Span<byte> target, int w2, int h2)
    {
        int w = source.Width, h = source.Height;
        PillowTaps vertical = Taps(h, h2);
        PillowTaps? horizontal = w == w2 ? null : Taps(w, w2);
        int stride = w2 * 3, slots = Math.Min(vertical.Stride, h), ready = 0;
        if (_sums.Length < stride) _sums = new int[stride];
        // Rows that are what the vertical pass reads already are not copied.
        bool direct = horizontal == null && source.Format == PixelFormat.Rgb24;
        if (!direct && _ring.Length < (long)slots * stride) _ring = new byte[checked(slots * stride)];
        Span<int> sums = _sums.AsSpan(0, stride);
        for (int y = 0; y < h2; y++)
        {
            int first = vertical.First[y], end = first + vertical.Count[y];
            ready = Math.Max(ready, first);
            for (; ready < end && !direct; ready++)
            {
                Span<byte> slot = _ring.AsSpan(ready % slots * stride, stride);
                if (horizontal == null) source.CopyRow(ready, slot);
                else HorizontalPass(source, ready, slot, horizontal);
            }
            PillowRows.Begin(sums);
            for (int row = first; row < end; row++)
            {
                ReadOnlySpan<byte> values = direct ? source.Row(row) : _ring.AsSpan(row % slots * stride, stride);
                PillowRows.Add(values, vertical.Weights[y * vertical.Stride + row - first], sums);
            }
            PillowRows.End(sums, target.Slice(y * stride, stride));
        }
    }

    private PillowTaps Taps(int from, int to)
    {
        if (_taps.TryGetValue((from, to), out PillowTaps? taps)) return taps;
        if (_taps.Count == MaxCachedTaps) _taps.Clear();
        return _taps[(from, to)] = new PillowTaps(from, to);
    }

    /// <summary>One row. A pixel is read as four bytes, so the row is copied first to where a byte may be read past its end.</summary>
    private void HorizontalPass(ImageView source, int y, Span<byte> target, PillowTaps taps)
    {
        int length = source.Width * 3;
        if (_padded.Length <= length) _padded = new byte[length + 1];
        source.CopyRow(y, _padded.AsSpan(0, length));
        PillowRows.Horizontal(_padded, target, taps);
    }
}
