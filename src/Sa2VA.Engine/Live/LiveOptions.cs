namespace Sa2VA.Engine;

/// <summary>What happens to a frame that is pushed while as many wait as may.</summary>
public enum QueuePolicy
{
    /// <summary>Whoever pushes waits; no frame is lost. For recorded video.</summary>
    Wait,
    /// <summary>The frame that has waited longest is dropped.</summary>
    DropOldest,
    /// <summary>One frame waits, and a newer one takes its place: the least delay. For cameras.</summary>
    KeepLatest,
}

/// <summary>Choices for a <see cref="LiveVideo"/>.</summary>
public sealed record LiveOptions
{
    /// <summary>What happens to frames that come faster than they are processed.</summary>
    public QueuePolicy Policy { get; init; } = QueuePolicy.KeepLatest;

    /// <summary>
    /// Most frames that wait (with <see cref="QueuePolicy.KeepLatest"/> always 1), and most results that wait for their reader; at least 1.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is less than 1.</exception>
    public int Capacity
    {
        get;
        init => field = value >= 1 ? value : throw new ArgumentOutOfRangeException(nameof(value), "At least one frame waits.");
    } = 4;

    /// <summary>Measures latencies and deadlines.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Told of each frame that failed, by its timestamp; the stream goes on without it. So it is of asking again that failed, by the
    /// timestamp of the frame behind which that began. Called between two frames, which wait for it; what it throws ends the live stream.
    /// </summary>
    public Action<TimeSpan, Exception>? Failed { get; init; }

    /// <summary>
    /// When what named the objects is asked again, and what is done with what it names (<see cref="VideoSession.ReAskAsync"/>); null, the
    /// default, for never. The session must keep frames (<see cref="VideoOptions.KeepFrames"/>).
    /// </summary>
    public ReAskOptions? ReAsk { get; init; }

    /// <summary>
    /// Told what came of asking again, before the first result that has the newcomers. Called between two frames, which wait for it; what
    /// it throws ends the live stream.
    /// </summary>
    public Action<ReAskResult>? ReAsked { get; init; }
}
