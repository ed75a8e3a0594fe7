using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Choices for a video session.</summary>
public sealed record VideoOptions
{
    /// <summary>
    /// True to overwrite the masks of a frame by those of the next one: a warm frame then allocates nothing. Copy with
    /// <see cref="ObjectMask.ToMask"/> what has to stay. False, the default, gives every frame masks of its own.
    /// </summary>
    public bool ReuseMasks { get; init; }

    /// <summary>
    /// True to keep the mask logits at the frame's size of objects that clicks, boxes or masks add; of those that an answer names,
    /// <see cref="AskOptions.Logits"/> says so. False, the default, costs nothing.
    /// </summary>
    public bool Logits { get; init; }

    /// <summary>Most objects that the stream follows when more are added by clicks, boxes or masks, at least 1; 16 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int MaxObjects
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), "A stream follows at least one object.");
    } = 16;

    /// <summary>
    /// How many of the newest frames the session keeps, for <see cref="VideoSession.RecentFrames"/> and
    /// <see cref="VideoSession.ShowLatest"/>: 0, the default, to 13. Each is copied as it comes; memory for them is taken once.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 0 or more than the language model can be shown.</exception>
    public int KeepFrames
    {
        get;
        init => field = value is >= 0 and <= ModelFamily.MaxFrames
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), $"A stream keeps 0 to {ModelFamily.MaxFrames} of its newest frames.");
    }

    /// <summary>
    /// Told how far the frame in work is, as a share of its operations: above 0, below 1, growing, at most a few hundred times a frame. It
    /// is called on the thread that computes, which waits for it, and allocates nothing; if it throws, the frame fails with that and is
    /// skipped. Null, the default, costs nothing. A GPU computes a frame as a whole and tells nothing. Not part of a saved session.
    /// </summary>
    public IProgress<double>? Progress { get; init; }
}
