namespace Sa2VA.Engine;

/// <summary>Choices for a video session.</summary>
public sealed record VideoOptions
{
    /// <summary>
    /// True to overwrite the masks of a frame by those of the next one: a warm frame then allocates nothing. Copy with
    /// <see cref="ObjectMask.ToMask"/> what has to stay. False, the default, gives every frame masks of its own.
    /// </summary>
    public bool ReuseMasks { get; init; }

    /// <summary>Most objects that the stream follows when more are added by clicks, boxes or masks, at least 1; 16 by default.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int MaxObjects
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), "A stream follows at least one object.");
    } = 16;
}
