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
    private readonly Dictionary<int, Held[]> _held = [];
    private int _next;

    /// <summary>Takes a frame as it is found.</summary>
    /// <param name="frame">Its number.</param>
    /// <param name="objects">What is on it.</param>
    /// <param name="isBack">True if it was found going back: frames before it may follow.</param>
    public void Add(int frame, IReadOnlyList<SegmentedObject> objects, bool isBack)
    {
        if (isBack)
        {
            _held[frame] = [.. objects.Select(o => new Held(o with { Mask = null!, Result = null }, CocoRle.Encode(o.Mask)))];
            return;
        }
        TellBefore(frame);
        Tell(objects);
    }

    /// <summary>Gives what is left.</summary>
    public void End() => TellBefore(media.Frames);

    private void TellBefore(int frame)
    {
        while (_next < frame)
            Tell(!_held.Remove(_next, out Held[]? held) ? []
                : [.. held.Select(h => h.Object with { Mask = CocoRle.Decode(h.Counts, media.Width, media.Height) })]);
    }

    private void Tell(IReadOnlyList<SegmentedObject> objects)
    {
        onFrame(new SegmentedFrame(_next, media.FrameName(_next), pictures.Read(_next), objects));
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
