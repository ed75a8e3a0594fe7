using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Which frames of a live stream wait, which make room, and what is counted of them; without a model.</summary>
public sealed class LiveInboxTests
{
    [Theory]
    [InlineData(QueuePolicy.KeepLatest, 4, new[] { 6 })]
    [InlineData(QueuePolicy.DropOldest, 4, new[] { 3, 4, 5, 6 })]
    [InlineData(QueuePolicy.DropOldest, 1, new[] { 6 })]
    [InlineData(QueuePolicy.Wait, 4, new[] { 1, 2, 3, 4, 5, 6 })]
    public async Task The_oldest_make_room_unless_who_pushes_waits(QueuePolicy policy, int capacity, int[] expected)
    {
        var inbox = new LiveInbox(new LiveOptions { Policy = policy, Capacity = capacity });
        Task[] pushes = [.. Enumerable.Range(1, 6).Select(i => Push(inbox, i))];
        bool waits = policy == QueuePolicy.Wait;
        Assert.Equal(Enumerable.Range(1, 6).Select(i => !waits || i <= capacity), pushes.Select(p => p.IsCompletedSuccessfully));
        LiveCounters counters = inbox.Counters;
        Assert.Equal((6, expected.Length, 6 - expected.Length), (counters.Pushed, counters.Waiting, counters.Dropped));
        foreach (int frame in expected) Assert.Equal(frame, Take(inbox));
        await Task.WhenAll(pushes).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal((6, 0, expected.Length), (inbox.Counters.Pushed, inbox.Counters.Waiting, inbox.Counters.Tracked));
    }

    [Fact]
    public async Task Who_waits_and_gives_up_is_counted_and_what_waits_at_the_end_is_dropped()
    {
        var inbox = new LiveInbox(new LiveOptions { Policy = QueuePolicy.Wait, Capacity = 1 });
        using var cancel = new CancellationTokenSource();
        Task first = Push(inbox, 1), given = Push(inbox, 2, cancel.Token), third = Push(inbox, 3);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.Equal((3, 2, 1, 0), Counts(inbox));
        inbox.Close(new ObjectDisposedException("stream"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => third);
        await first;
        Assert.Equal((3, 0, 1, 2), Counts(inbox));
        Assert.False(inbox.Take(out _, out _));
        Assert.Throws<ObjectDisposedException>(() => { _ = inbox.Push(new LiveFrame()); });

        static (long, long, long, long) Counts(LiveInbox inbox) =>
            (inbox.Counters.Pushed, inbox.Counters.Waiting, inbox.Counters.Cancelled, inbox.Counters.Dropped);
    }

    [Fact]
    public void Latencies_are_those_of_frames_that_were_tracked()
    {
        var inbox = new LiveInbox(new LiveOptions());
        _ = Push(inbox, 1);
        Assert.Equal(1, Take(inbox));
        foreach (FrameOutcome outcome in (FrameOutcome[])[FrameOutcome.Expired, FrameOutcome.Cancelled, FrameOutcome.Failed])
        {
            _ = Push(inbox, 2);
            Assert.True(inbox.Take(out LiveFrame? frame, out _));
            inbox.Finish(frame!, outcome);
        }
        Assert.Equal((TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(1)), (inbox.Counters.LatencyP50, inbox.Counters.LatencyP99));
    }

    [Fact]
    public void The_latest_latencies_count()
    {
        var window = new LatencyWindow();
        Assert.Equal(default, window.Percentiles());
        for (int i = 1; i <= 1500; i++) window.Add(TimeSpan.FromTicks(i));
        // Of 1,024, from 477 on: the 512th, the 973rd, the 1,014th.
        Assert.Equal((988, 1449, 1490), (window.Percentiles().P50.Ticks, window.Percentiles().P95.Ticks, window.Percentiles().P99.Ticks));
    }

    [Fact]
    public void Commands_go_before_frames_that_wait()
    {
        var inbox = new LiveInbox(new LiveOptions());
        _ = Push(inbox, 1);
        var told = new LiveNotice(() => { });
        inbox.Add(told);
        Assert.True(inbox.Take(out LiveFrame? frame, out LiveCommand? command));
        Assert.Equal((null, told), (frame, command));
        Assert.Equal(1, Take(inbox));
    }

    private static Task Push(LiveInbox inbox, int frame, CancellationToken cancellation = default)
    {
        LiveFrame waiting = inbox.Rent();
        (waiting.Timestamp, waiting.Cancellation) = (TimeSpan.FromSeconds(frame), cancellation);
        return inbox.Push(waiting).AsTask();
    }

    private static int Take(LiveInbox inbox)
    {
        Assert.True(inbox.Take(out LiveFrame? frame, out LiveCommand? command));
        Assert.Null(command);
        int number = (int)frame!.Timestamp.TotalSeconds;
        inbox.Finish(frame, FrameOutcome.Tracked, TimeSpan.FromMilliseconds(1));
        return number;
    }
}
