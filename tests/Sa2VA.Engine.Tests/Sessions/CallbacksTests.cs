using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Those who are told how a question goes: when they are called, and what stays of them.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class CallbacksTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_has_cancelled_is_told_no_more()
    {
        using var stop = new CancellationTokenSource();
        using ManualResetEventSlim begun = new(), end = new();
        var callbacks = new Callbacks(this, stop.Token);
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

    [Fact]
    public void A_question_that_is_refused_leaves_nothing_in_the_callers_token()
    {
        using var stop = new CancellationTokenSource();
        using TextSession session = Shapes.Model.OpenText();
        var options = new AskOptions { MaxNewTokens = 0, Progress = new Reports<AskProgress>(_ => { }) };
        Refuse(100);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Refuse(3_000);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 150_000);

        void Refuse(int times)
        {
            for (int i = 0; i < times; i++) Assert.Throws<PromptException>(() => session.Ask("Hello", options, stop.Token));
        }
    }
}
