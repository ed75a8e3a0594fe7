using Sa2VA.Cli.Results;

namespace Sa2VA.Cli.Tests;

/// <summary>Files are written beside the model: in order, within bounds, and no error is lost.</summary>
public class BackgroundWriterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Work_is_done_in_order_and_beside_who_hands_it_over()
    {
        using var writer = new BackgroundWriter();
        using var go = new ManualResetEventSlim();
        var done = new List<int>();
        // All but one are handed over before the first one may end.
        for (int i = 0; i <= BackgroundWriter.Depth; i++)
        {
            int number = i;
            writer.Post(() =>
            {
                Assert.True(go.Wait(Patience));
                done.Add(number);
            });
            if (i == 0) Assert.True(SpinWait.SpinUntil(() => writer.InWork, Patience));
        }
        Assert.Empty(done);
        // One more has no place, so its owner waits.
        Task more = Task.Run(() => writer.Post(() => done.Add(-1)), TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(more.IsCompleted);
        go.Set();
        await more.WaitAsync(Patience, TestContext.Current.CancellationToken);
        writer.Complete();
        Assert.Equal([.. Enumerable.Range(0, BackgroundWriter.Depth + 1), -1], done);
    }

    [Fact]
    public void An_error_is_thrown_to_who_hands_over_next_or_waits_and_nothing_is_done_after_it()
    {
        bool after = false;
        using (var writer = new BackgroundWriter())
        {
            writer.Post(() => throw new UsageException("full"));
            writer.Settle();
            Assert.Equal("full", Assert.Throws<UsageException>(() => writer.Post(() => after = true)).Message);
            // Once is enough: who cleans up is not told again.
            writer.Complete();
        }
        using (var writer = new BackgroundWriter())
        {
            writer.Post(() => throw new UsageException("full"));
            Assert.Equal("full", Assert.Throws<UsageException>(writer.Complete).Message);
        }
        Assert.False(after);
    }

    [Fact]
    public async Task Who_waits_for_room_is_told_of_an_error()
    {
        using var writer = new BackgroundWriter();
        using var go = new ManualResetEventSlim();
        writer.Post(() =>
        {
            Assert.True(go.Wait(Patience));
            throw new UsageException("full");
        });
        Assert.True(SpinWait.SpinUntil(() => writer.InWork, Patience));
        for (int i = 0; i < BackgroundWriter.Depth; i++) writer.Post(() => { });
        Task waiting = Task.Run(() => writer.Post(() => { }), TestContext.Current.CancellationToken);
        go.Set();
        Task<UsageException> told = Assert.ThrowsAsync<UsageException>(() => waiting);
        Assert.Equal("full", (await told.WaitAsync(Patience, TestContext.Current.CancellationToken)).Message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_waits_for_room_or_for_the_end_can_be_cancelled(bool forTheEnd)
    {
        using var cancel = new CancellationTokenSource();
        using var go = new ManualResetEventSlim();
        using var writer = new BackgroundWriter(cancel.Token);
        bool late = false;
        writer.Post(() => Assert.True(go.Wait(Patience)));
        Assert.True(SpinWait.SpinUntil(() => writer.InWork, Patience));
        for (int i = 0; i < BackgroundWriter.Depth; i++) writer.Post(() => { });
        Task waiting = Task.Run(() =>
        {
            if (forTheEnd) writer.Complete();
            else writer.Post(() => late = true);
        }, TestContext.Current.CancellationToken);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(waiting.IsCompleted);
        await cancel.CancelAsync();
        // What is in work is not waited for: a disk may hang.
        Task<OperationCanceledException> told = Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await told.WaitAsync(Patience / 2, TestContext.Current.CancellationToken);
        go.Set();
        writer.Settle();
        Assert.False(late);
    }

    [Fact]
    public async Task What_waits_when_it_is_disposed_of_is_not_done()
    {
        bool late = false;
        using var go = new ManualResetEventSlim();
        var writer = new BackgroundWriter();
        writer.Post(() => Assert.True(go.Wait(Patience)));
        writer.Post(() => late = true);
        Task disposing = Task.Run(writer.Dispose, TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(() => writer.IsStopped, Patience));
        // What is in work is waited for: its file must not be written to behind the back of who cleans up.
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.False(disposing.IsCompleted);
        go.Set();
        await disposing.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.False(late);
    }
}
