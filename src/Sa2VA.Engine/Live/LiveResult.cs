namespace Sa2VA.Engine;

/// <summary>What was found on a frame of a <see cref="LiveVideo"/>.</summary>
public sealed class LiveResult
{
    internal LiveResult() => Masks = null!;

    /// <summary>All objects on the frame.</summary>
    public FrameMasks Masks { get; private set; }

    /// <summary>The frame's, as it was pushed.</summary>
    public TimeSpan Timestamp { get; private set; }

    /// <summary>From push to masks.</summary>
    public TimeSpan Latency { get; private set; }

    /// <summary>Who looks at it: its memory serves another frame when nobody does.</summary>
    internal int Holders { get; set; }

    internal void Set(FrameMasks masks, TimeSpan timestamp, TimeSpan latency) => (Masks, Timestamp, Latency) = (masks, timestamp, latency);
}

/// <summary>An object that joined a <see cref="LiveVideo"/>.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Masks">All objects that have a mask on the newest frame.</param>
public sealed record FollowedObject(int Id, FrameMasks Masks);
