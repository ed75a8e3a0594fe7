namespace Sa2VA.Engine;

/// <summary>
/// What became of the frames of a <see cref="LiveVideo"/>, at one moment. Each frame counts once: <see cref="Pushed"/> is the sum of
/// <see cref="Waiting"/>, <see cref="Tracked"/>, <see cref="Dropped"/>, <see cref="Expired"/>, <see cref="Cancelled"/> and
/// <see cref="Failed"/>.
/// </summary>
public readonly record struct LiveCounters
{
    /// <summary>Frames that came in.</summary>
    public long Pushed { get; init; }

    /// <summary>Frames that wait, or are in work.</summary>
    public long Waiting { get; init; }

    /// <summary>Frames whose masks came out.</summary>
    public long Tracked { get; init; }

    /// <summary>Frames that made room for others, or still waited when the live stream was closed.</summary>
    public long Dropped { get; init; }

    /// <summary>Frames whose deadline passed.</summary>
    public long Expired { get; init; }

    /// <summary>Frames that were cancelled.</summary>
    public long Cancelled { get; init; }

    /// <summary>Frames that failed.</summary>
    public long Failed { get; init; }

    /// <summary>Results that no reader took in time; they are among <see cref="Tracked"/>.</summary>
    public long Unread { get; init; }

    /// <summary>From push to masks, of the latest 1,024 frames: half took no longer.</summary>
    public TimeSpan LatencyP50 { get; init; }

    /// <summary>95 of 100 took no longer.</summary>
    public TimeSpan LatencyP95 { get; init; }

    /// <summary>99 of 100 took no longer.</summary>
    public TimeSpan LatencyP99 { get; init; }
}
