using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>
/// Gives the frames of a video that is followed from its middle in the order of their numbers. What is found going back is held as run
/// lengths until the way back is done; pictures are read again then. Frames that are not followed have no objects.
/// </summary>
/// <param name="media">The video.</param>
/// <param name="pictures">Its pictures.</param>
/// <param name="onFrame">Told each frame, in order.</param>
internal sealed class FramesInOrder(MediaInput media, LatestPicture pictures, Action<SegmentedFrame> onFrame)
{
    private readonly Dictionary<int, (Held[] Objects, IReadOnlyList<int> LeftOut)> _held = [];
    private int _next;

    /// <summary>Takes a frame as it is found.</summary>
    /// <param name="frame">Its number.</param>
    /// <param name="objects">What is on it.</param>
    /// <param name="leftOut">Objects that are left out for their scores.</param>
    /// <param name="isBack">True if it was found going back: frames before it may follow.</param>
    public void Add(int frame, IReadOnlyList<SegmentedObject> objects, IReadOnlyList<int> leftOut, bool isBack)
    {
        if (isBack)
        {
            _held[frame] = ([.. objects.Select(o => new Held(o with { Mask = null!, Result = null }, CocoRle.Encode(o.Mask)))], leftOut);
            return;
        }
        TellBefore(frame);
        Tell(objects, leftOut);
    }

    /// <summary>Gives what is left.</summary>
    public void End() => TellBefore(media.Frames);

    private void TellBefore(int frame)
    {
        while (_next < frame)
            if (_held.Remove(_next, out (Held[] Objects, IReadOnlyList<int> LeftOut) held))
                Tell([.. held.Objects.Select(h => h.Object with { Mask = CocoRle.Decode(h.Counts, media.Width, media.Height) })],
                    held.LeftOut);
            else Tell([], []);
    }

    private void Tell(IReadOnlyList<SegmentedObject> objects, IReadOnlyList<int> leftOut)
    {
        onFrame(new SegmentedFrame(_next, media.FrameName(_next), pictures.Read(_next), objects) { LeftOut = leftOut });
        _next++;
    }

    private readonly record struct Held(SegmentedObject Object, string Counts);
}

/// <summary>Reads pictures by number, and remembers the latest one: going back in a video file means starting anew.</summary>
/// <param name="read">Gives a picture.</param>
internal sealed class LatestPicture(Func<int, RgbImage> read)
{
    private (int Number, RgbImage? Picture) _latest;

    public RgbImage Read(int number)
    {
        if (_latest.Picture is null || _latest.Number != number) _latest = (number, read(number));
        return _latest.Picture!;
    }
}
