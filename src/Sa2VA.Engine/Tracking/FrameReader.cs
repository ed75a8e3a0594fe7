using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Reads a recorded video's frames in either direction. Backwards they are read forwards block by block, since a video file can only be
/// read so: a block is as much as is held.
/// </summary>
/// <param name="read">Gives a frame.</param>
internal sealed class FrameReader(Func<int, RgbImage> read)
{
    private const int MostFrames = 16;
    private const long MostBytes = 128 << 20;
    private readonly List<RgbImage> _block = [];
    private int _first;

    /// <summary>Gives a frame.</summary>
    /// <param name="frame">Its number.</param>
    /// <param name="reverse">True if the frames before it are asked for next.</param>
    public RgbImage Read(int frame, bool reverse)
    {
        if (frame >= _first && frame < _first + _block.Count) return _block[frame - _first];
        int block = reverse && _block.Count > 0 ? (int)Math.Clamp(MostBytes / _block[0].Pixels.Length, 1, MostFrames) : 1;
        _block.Clear();
        _first = Math.Max(0, frame - block + 1);
        for (int i = _first; i <= frame; i++)
            _block.Add(read(i) ?? throw new Core.MediaException($"Frame {i} is null."));
        return _block[^1];
    }
}
