using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>A frame of a stream. Its memory is used again by the next read into it.</summary>
public sealed class VideoFrame
{
    private byte[] _rgb = [];

    /// <summary>Columns; 0 before the first read.</summary>
    public int Width { get; private set; }

    /// <summary>Rows; 0 before the first read.</summary>
    public int Height { get; private set; }

    /// <summary>The frame's number, from 0.</summary>
    public int Index { get; internal set; } = -1;

    /// <summary>When it is shown, counted from the stream's own start; null if the stream does not say.</summary>
    public TimeSpan? Time { get; internal set; }

    /// <summary>[Height, Width, 3], until the next read.</summary>
    public ReadOnlySpan<byte> Pixels => Writable;

    /// <summary>The pixels for calls that take any format, until the next read.</summary>
    public ImageView View => new(Pixels, Width, Height);

    /// <summary>A copy that stays.</summary>
    public RgbImage ToImage() => new(Width, Height, Pixels.ToArray());

    /// <summary>The pixels as a picture that stays; the next read takes new memory.</summary>
    internal RgbImage Take()
    {
        byte[] pixels = _rgb.Length == Pixels.Length ? _rgb : Pixels.ToArray();
        _rgb = [];
        return new RgbImage(Width, Height, pixels);
    }

    internal Span<byte> Writable => _rgb.AsSpan(0, Width * Height * 3);

    /// <summary>Takes memory only where what there is does not suffice.</summary>
    internal void Resize(int width, int height)
    {
        (Width, Height) = (width, height);
        if (_rgb.Length < width * height * 3) _rgb = new byte[width * height * 3];
    }
}
