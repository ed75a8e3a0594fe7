using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>One model, many sessions, many threads; and things closed while they are in use.</summary>
public sealed class SharingTests
{
    [Fact]
    public async Task Sessions_on_threads_of_their_own_give_the_answers_they_give_alone()
    {
        Func<string>[] work =
        [
            () => Image("Please segment the red circle and the blue star."), () => Image("Please describe the image."),
            () => Video("Please segment the green ring."), () => Video("Please segment the blue star."),
        ];
        string[] alone = [.. work.Select(w => w())];
        Assert.Equal(alone, await Task.WhenAll(work.Select(w => Task.Run(w))));

        static string Image(string question)
        {
            using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
            return Shapes.Fingerprint(session.Ask(question, new AskOptions { Logits = true }));
        }

        static string Video(string question)
        {
            using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
            string answer = Shapes.Fingerprint(session.Ask(question, new AskOptions { Logits = true }));
            for (int f = 0; f < 8; f++) answer += Shapes.Fingerprint(session.Next(Shapes.Clip[f]).Objects[0]);
            return answer;
        }
    }

    [Fact]
    public void A_second_caller_is_told_that_the_session_is_busy()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        var refusals = new List<string>();
        Answer answer = session.Ask("Please segment the red circle.", new AskOptions
        {
            Progress = new Reports<AskProgress>(_ =>
            {
                // From a callback and from another thread.
                refusals.Add(Assert.Throws<SessionBusyException>(() => session.Ask("Hello")).Message);
                refusals.Add(Task.Run(() => Assert.Throws<SessionBusyException>(() => session.Ask("Hello")).Message).GetAwaiter()
                    .GetResult());
            }),
        });
        Assert.True(refusals.Count >= 2 * answer.TokenIds.Count);
        Assert.All(refusals, m => Assert.Contains("busy", m, StringComparison.Ordinal));
        Assert.Equal(Shapes.Fingerprint(answer), Shapes.Fingerprint(session.Ask("Please segment the red circle.")));
    }

    [Fact]
    public void Closed_sessions_and_models_say_so()
    {
        Sa2VAModel model = Shapes.Load();
        TextSession text = model.OpenText();
        VideoSession video = model.OpenVideo(Shapes.Clip[..1]);
        video.Ask("Please segment the red circle.");
        TextSession closed = model.OpenText();
        closed.Dispose();
        closed.Dispose();
        Assert.Throws<ObjectDisposedException>(() => closed.Ask("Hello"));
        model.Dispose();
        model.Dispose();
        Assert.Contains(nameof(Sa2VAModel), Assert.Throws<ObjectDisposedException>(() => text.Ask("Hello")).ObjectName,
            StringComparison.Ordinal);
        Assert.Throws<ObjectDisposedException>(() => video.Next(Shapes.Clip[0]));
        Assert.Throws<ObjectDisposedException>(() => model.OpenText());
        Assert.Throws<ObjectDisposedException>(() => model.OpenImage(Shapes.Clip[0]));
        Assert.Throws<ObjectDisposedException>(() => model.OpenVideo(Shapes.Clip[..1]));
        video.Dispose();
        text.Dispose();
        Assert.Throws<ObjectDisposedException>(() => text.Ask("Hello"));
    }

    [Fact]
    public void A_session_closed_while_it_answers_ends_the_answer_first()
    {
        using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers, held = 0;
        ImageSession session = model.OpenImage(Shapes.Image("one-128.png"));
        Answer answer = session.Ask(Shapes.Case("seg-one-128").Prompt, new AskOptions
        {
            Progress = new Reports<AskProgress>(_ =>
            {
                Task.Run(session.Dispose).Wait();
                held = model.MemoryInfo.Buffers;
                Assert.Throws<ObjectDisposedException>(() => session.Ask("Hello"));
            }),
        });
        Assert.Equal(Shapes.Case("seg-one-128").Prediction, answer.Raw);
        Assert.True(held > loaded);
        Assert.Equal(loaded + Shapes.PooledBytes(model), Shapes.Held(model).Buffers);
        Assert.Throws<ObjectDisposedException>(() => session.Ask("Hello"));
    }

    [Fact]
    public async Task A_model_closed_while_it_works_ends_the_work_with_an_error()
    {
        for (int i = 0; i < 4; i++)
        {
            Sa2VAModel model = Shapes.Load();
            using var started = new SemaphoreSlim(0);
            Task work = Task.Run(() =>
            {
                using VideoSession session = model.OpenVideo(Shapes.Clip[..5]);
                session.Ask("Please segment the red circle.");
                for (int f = 0; ; f++)
                {
                    session.Next(Shapes.Clip[f % 48]);
                    started.Release();
                }
            });
            await started.WaitAsync();
            await Task.Delay(i * 7);
            model.Dispose();
            await Assert.ThrowsAsync<ObjectDisposedException>(() => work);
        }
    }
}
