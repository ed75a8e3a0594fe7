namespace Sa2VA.Verification.Stages;

/// <summary>Frames of a recorded video as levels: a few pictures in turn, moved down and right from frame to frame.</summary>
internal sealed class RolledFrames
{
    private readonly int _side, _bases, _down, _right;
    private readonly byte[] _levels;

    /// <param name="c">Has <c>in.base_u8</c> [B, S, S, 3] and <c>shift</c>.</param>
    public RolledFrames(StageContext c)
    {
        _side = c.Config.Grounding.ImageSize;
        GoldenTensor images = c.In("base_u8");
        _bases = images.DimsOf(4)[0];
        _levels = images.Expect(_bases, _side, _side, 3).Bytes();
        IReadOnlyList<int> shift = c.Golden.Params.Ints("shift", -4096, 4096, 2, 2, [0, 0]);
        (_down, _right) = (shift[0], shift[1]);
    }

    /// <summary>Frame t, [S, S, 3].</summary>
    public byte[] Levels(int t)
    {
        int size = _side * _side * 3, down = Wrap(t * _down), right = Wrap(t * _right);
        ReadOnlySpan<byte> image = _levels.AsSpan(t % _bases * size, size);
        var frame = new byte[size];
        for (int y = 0; y < _side; y++)
            for (int x = 0; x < _side; x++)
                image.Slice((Wrap(y - down) * _side + Wrap(x - right)) * 3, 3).CopyTo(frame.AsSpan((y * _side + x) * 3));
        return frame;
    }

    private int Wrap(int position) => (position % _side + _side) % _side;
}
