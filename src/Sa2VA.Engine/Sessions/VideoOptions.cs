namespace Sa2VA.Engine;

/// <summary>Choices for a video session.</summary>
public sealed record VideoOptions
{
    /// <summary>
    /// True to overwrite the masks of a frame by those of the next one: a warm frame then allocates nothing. Copy with
    /// <see cref="ObjectMask.ToMask"/> what has to stay. False, the default, gives every frame masks of its own.
    /// </summary>
    public bool ReuseMasks { get; init; }
}
