using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>What was found on a frame of a <see cref="LiveVideo"/>.</summary>
public sealed class LiveResult
{
    internal LiveResult() => Masks = null!;

    /// <summary>All objects on the frame.</summary>
    public FrameMasks Masks { get; private set; }

    /// <summary>The frame, if it was pushed as a picture that never changes; null if it was copied from memory of the caller.</summary>
    public RgbImage? Picture { get; private set; }

    /// <summary>The frame's, as it was pushed.</summary>
    public TimeSpan Timestamp { get; private set; }

    /// <summary>From push to masks.</summary>
    public TimeSpan Latency { get; private set; }

    /// <summary>Who looks at it: its memory serves another frame when nobody does.</summary>
    internal int Holders { get; set; }

    internal void Set(FrameMasks masks, RgbImage? picture, TimeSpan timestamp, TimeSpan latency) =>
        (Masks, Picture, Timestamp, Latency) = (masks, picture, timestamp, latency);

    /// <summary>Lets go of what is the caller's.</summary>
    internal void Clear() => Picture = null;
}

/// <summary>An object that joined a <see cref="LiveVideo"/>.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Masks">All objects that have a mask on the newest frame.</param>
public sealed record FollowedObject(int Id, FrameMasks Masks);
