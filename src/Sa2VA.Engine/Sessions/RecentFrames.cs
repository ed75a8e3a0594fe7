using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// The newest frames of a stream as they came, in RGB. Memory is taken for as many as are kept, and again only when their size changes.
/// </summary>
/// <param name="capacity">Frames that are kept; 0 for none.</param>
internal sealed class RecentFrames(int capacity)
{
    private readonly (int Width, int Height, byte[] Pixels)[] _frames = new (int, int, byte[])[capacity];
    private byte[]? _spare;
    private int _next;

    /// <summary>Frames that are there.</summary>
    public int Count { get; private set; }

    /// <summary>Makes room for a frame: keeping it cannot fail then. Nothing goes before it is kept.</summary>
    public void Reserve(int width, int height)
    {
        if (capacity > 0 && _spare?.Length != width * height * 3) _spare = new byte[width * height * 3];
    }

    /// <summary>Keeps a frame for which there is room, in place of the oldest.</summary>
    public void Keep(ImageView frame)
    {
        if (capacity == 0) return;
        byte[] pixels = _spare!;
        for (int y = 0; y < frame.Height; y++) frame.CopyRow(y, pixels.AsSpan(y * frame.Width * 3, frame.Width * 3));
        _spare = _frames[_next].Pixels;
        _frames[_next] = (frame.Width, frame.Height, pixels);
        _next = (_next + 1) % capacity;
        Count = Math.Min(Count + 1, capacity);
    }

    /// <summary>Copies of the newest frames, the oldest of them first.</summary>
    /// <param name="count">How many, at most as many as there are.</param>
    public RgbImage[] Latest(int count)
    {
        var latest = new RgbImage[count];
        for (int i = 0; i < count; i++)
        {
            (int width, int height, byte[] pixels) = _frames[(_next - count + i + capacity) % capacity];
            latest[i] = new RgbImage(width, height, [.. pixels]);
        }
        return latest;
    }

    /// <summary>Has no frame any more; memory stays.</summary>
    public void Clear() => (_next, Count) = (0, 0);
}
