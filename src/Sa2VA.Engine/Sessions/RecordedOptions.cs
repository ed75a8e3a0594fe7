using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>How a recorded video's objects are found by words and followed (docs/model/tracking.md#protocols).</summary>
public enum VideoProtocol
{
    /// <summary>
    /// As the released code does: words are answered on the first frames that tracking comes to, up to five; what language finds there is
    /// remembered as soft as it is.
    /// </summary>
    Upstream,
    /// <summary>
    /// As Sa2VA-i does, with training and inference alike: words are answered on the frames that the language model saw, spread over the
    /// video, each by itself; the masks that are found there are the truth that tracking begins with.
    /// </summary>
    Consistent,
}

/// <summary>Which way a recorded video is followed.</summary>
public enum TrackDirection
{
    /// <summary>From the start to the last frame.</summary>
    Forward,
    /// <summary>From the start back to frame 0.</summary>
    Backward,
    /// <summary>From the start back to frame 0, then from behind the start to the last frame.</summary>
    Both,
}

/// <summary>Choices for a recorded video.</summary>
public sealed record RecordedOptions
{
    /// <summary>How objects are found and followed.</summary>
    public VideoProtocol Protocol { get; init; }

    /// <summary>Which way objects are followed.</summary>
    public TrackDirection Direction { get; init; }

    /// <summary>
    /// The frame that tracking begins on, from 0. Null, the default, for frame 0 forwards and the last one backwards; both ways need one.
    /// </summary>
    public int? Start { get; init; }

    /// <summary>
    /// What the language model sees. Null, the default, for five frames: with <see cref="VideoProtocol.Upstream"/> the first that tracking
    /// comes to, with <see cref="VideoProtocol.Consistent"/> those of <see cref="FrameSelection.Uniform"/>.
    /// </summary>
    public FrameSelection? LanguageFrames { get; init; }

    /// <summary>
    /// True to keep the logits of objects that are shown (<see cref="ObjectMask.Logits"/>); those that words name have them where
    /// <see cref="AskOptions.Logits"/> says so.
    /// </summary>
    public bool Logits { get; init; }

    /// <summary>Most objects that are followed together, at least 1; 16 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int MaxObjects
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), "A video has at least one object.");
    } = 16;

    /// <summary>What the language model sees with these choices.</summary>
    public FrameSelection Selection => LanguageFrames ?? (Protocol == VideoProtocol.Consistent ? FrameSelection.Uniform
        : Direction == TrackDirection.Forward && Start is null or 0 ? FrameSelection.First : FrameSelection.Of("start", FromStart));

    /// <summary>The frame that tracking begins on.</summary>
    /// <param name="frameCount">Frames of the video.</param>
    /// <exception cref="PromptException">There is no such frame, or none is given for both ways.</exception>
    internal int StartOf(int frameCount)
    {
        if (Start is null && Direction == TrackDirection.Both)
            throw new PromptException("Following objects both ways needs a frame to begin on: set RecordedOptions.Start.");
        int start = Start ?? (Direction == TrackDirection.Backward ? frameCount - 1 : 0);
        return (uint)start < (uint)frameCount ? start
            : throw new PromptException($"Frame {start} was asked for; the video has frames 0 to {frameCount - 1}.");
    }

    /// <summary>The frames that words are answered on.</summary>
    /// <param name="frameCount">Frames of the video.</param>
    /// <param name="shown">What the language model saw.</param>
    internal int[] PromptedFrames(int frameCount, IReadOnlyList<int> shown) => Protocol == VideoProtocol.Consistent
        ? [.. shown.Distinct().Order()]
        : First(frameCount, Math.Min(shown.Count, Tracking.SegmentationModel.LanguageFrames));

    private int[] FromStart(int frameCount) => First(frameCount, FrameSelection.DefaultCount);

    /// <summary>The first frames that tracking comes to, in order of their numbers.</summary>
    private int[] First(int frameCount, int count)
    {
        int start = StartOf(frameCount), first = Direction == TrackDirection.Backward ? Math.Max(0, start - count + 1) : start;
        return [.. Enumerable.Range(first, Direction == TrackDirection.Backward ? start - first + 1 : Math.Min(count, frameCount - start))];
    }
}

/// <summary>How far following a recorded video has come.</summary>
/// <param name="Done">Frames that are done: those that objects are prompted on, then those that they are tracked on.</param>
/// <param name="Total">Frames in all.</param>
/// <param name="Part">How much of the next frame is done, as a share of its operations: below 1. A GPU does not tell.</param>
public readonly record struct TrackProgress(int Done, int Total, double Part = 0);
