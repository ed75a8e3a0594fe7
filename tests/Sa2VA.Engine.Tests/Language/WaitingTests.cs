using System.Diagnostics;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Language;

/// <summary>Those who wait for an answer cost no thread.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class WaitingTests
{
    [Fact]
    public async Task Sixty_sessions_wait_without_a_thread()
    {
        using Sa2VAModel model = Shapes.Load();
        using var goOn = new ManualResetEventSlim();
        using var held = new SemaphoreSlim(0);
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        using var conversation = new Conversation(model.LanguageModel, null);
        conversation.Begin(prompt);
        // The scheduler itself is held up, so that nobody's answer goes on.
        var first = new Turn(conversation, prompt, 2, _ =>
        {
            held.Release();
            goOn.Wait(TestContext.Current.CancellationToken);
            return AfterToken.GoOn;
        }, TestContext.Current.CancellationToken);
        model.LanguageModel.Scheduler.Add(first);
        await held.WaitAsync(TestContext.Current.CancellationToken);
        int before = Threads();
        TextSession[] sessions = [.. Enumerable.Range(0, 60).Select(_ => model.OpenText())];
        Task<Answer>[] answers = [.. sessions.Select(s => s.AskAsync("Hello", cancellation: TestContext.Current.CancellationToken))];
        // All of them have come to where they wait.
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.Waiting == 60);
        Assert.InRange(Threads() - before, -100, 20);
        goOn.Set();
        foreach (Task<Answer> answer in answers) Assert.Equal(Shapes.Case("text-hello").Prediction, (await answer).Raw);
        Assert.True(await first.End);
        foreach (TextSession session in sessions) session.Dispose();
    }

    private static int Threads()
    {
        using var process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }
}
