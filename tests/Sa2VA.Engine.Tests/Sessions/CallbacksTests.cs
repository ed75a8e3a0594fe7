using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Those who are told how a question goes hold up its end no longer than by the call that they are in.</summary>
public sealed class CallbacksTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_has_cancelled_is_told_no_more()
    {
        using var stop = new CancellationTokenSource();
        using ManualResetEventSlim begun = new(), end = new();
        var callbacks = new Callbacks(stop.Token);
        int calls = 0;
        callbacks.Post(() =>
        {
            begun.Set();
            end.Wait(Cancellation);
        });
        for (int i = 0; i < 100; i++) callbacks.Post(() => calls++);
        begun.Wait(Cancellation);
        stop.Cancel();
        Task flushed = callbacks.FlushAsync();
        end.Set();
        await flushed.WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
        await callbacks.EndAsync();
        Assert.Equal(0, calls);
    }
}
