using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>A warm token and a warm frame leave nothing for the collector, on no thread.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class AllocationTests
{
    private const int Steps = 40;

    [Theory, InlineData(1, 1), InlineData(2, 1), InlineData(2, 8), InlineData(2, 8, true)]
    public async Task Decoded_token(int threads, int chats, bool draws = false)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = threads });
        int[] prompt = [.. Shapes.Case("text-what").PromptIds];
        var turns = new Turn[chats];
        long own = 0, all = 0, leastOwn = long.MaxValue, leastAll = long.MaxValue;
        int tokens = 0;
        for (int i = 0; i < chats; i++)
        {
            var conversation = new Conversation(model.LanguageModel, null);
            conversation.Begin(prompt);
            // Some draw their tokens, others take the likeliest.
            var options = new AskOptions { Temperature = draws ? 1 : 0, TopP = 0.9f, RepetitionPenalty = draws ? 1.1f : 1 };
            turns[i] = new Turn(conversation, prompt, 4 * Steps, i == 0 ? Count : _ => AfterToken.GoOn, CancellationToken.None)
            {
                Sampling = i % 3 == 0 ? TokenSampling.Of(options, 0) : null,
            };
        }
        foreach (Turn turn in turns) model.LanguageModel.Scheduler.Add(turn);
        foreach (Turn turn in turns) Assert.True(await turn.End);
        Assert.Equal((4 * Steps, 0, 0), (tokens, leastOwn, leastAll));

        // On the scheduler's thread, a stretch of tokens at a time; the page lists grow now and then.
        AfterToken Count(int token)
        {
            if (++tokens % (Steps / 8) != 0) return AfterToken.GoOn;
            long ownNow = GC.GetAllocatedBytesForCurrentThread(), allNow = GC.GetTotalAllocatedBytes(precise: true);
            if (tokens > 2 * Steps) (leastOwn, leastAll) = (Math.Min(leastOwn, ownNow - own), Math.Min(leastAll, allNow - all));
            (own, all) = (GC.GetAllocatedBytesForCurrentThread(), GC.GetTotalAllocatedBytes(precise: true));
            return AfterToken.GoOn;
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(2, 3)]
    [InlineData(2, 10)]
    [InlineData(2, 3, true)]
    public void Tracked_frame(int threads, int objects, bool told = false)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = threads });
        double share = 0;
        using VideoSession session = model.OpenVideo(Shapes.Clip[..5], new VideoOptions
        {
            ReuseMasks = true,
            Progress = told ? new Reports<double>(s => share = s) : null,
        });
        for (int i = 0; i < objects; i += 3)
            session.Ask(objects - i >= 3 ? "Please segment the red circle, the blue star and the yellow triangle."
                : "Please segment the red circle.", new AskOptions { Logits = true });
        Assert.Equal(objects, session.ObjectCount);
        int frame = 0;
        long area = 0;
        Measure(() =>
        {
            RgbImage image = Shapes.Clip[frame++ % 48];
            FrameMasks masks = session.Next(image.View, CancellationToken.None);
            for (int i = 0; i < masks.Objects.Count; i++) area += masks.Objects[i].Area + masks.Objects[i].Logits.Length;
        });
        Assert.True(area > 0);
        Assert.Equal(told, share > 0);
        Assert.Equal(frame, session.EncoderRuns);
    }

    /// <summary>Pushed, tracked and looked at, with a reader who takes every result.</summary>
    [Fact]
    public async Task Live_frame()
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2 });
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], new VideoOptions { ReuseMasks = true });
        session.Ask("Please segment the red circle and the blue star.");
        await using var live = new LiveVideo(session);
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync();
        int read = 0, pushed = 0;
        long area = 0;
        Task reading = Task.Run(async () =>
        {
            await foreach (LiveResult result in results)
            {
                area += result.Masks.Objects[0].Area;
                Volatile.Write(ref read, read + 1);
            }
        });
        Action<LiveResult> look = result => area += result.Masks.Objects[1].Area;
        Measure(() =>
        {
            // From memory of the caller, which is copied.
            Assert.True(live.PushAsync(Shapes.Clip[pushed % 48].View, TimeSpan.FromSeconds(pushed)).IsCompletedSuccessfully);
            pushed++;
            while (Volatile.Read(ref read) < pushed) Thread.Yield();
            live.ReadLatest(look);
        });
        await live.CompleteAsync();
        await reading;
        Assert.True(area > 0);
        Assert.Equal((pushed, pushed), (live.Counters.Tracked, read));
    }

    /// <summary>
    /// Runs a step until it is warm, then counts. The run time itself allocates now and then (it recompiles hot methods on threads of its
    /// own), so the count over all threads is the least of several rounds; what a step allocates would be in every one of them.
    /// </summary>
    private static void Measure(Action step)
    {
        for (int i = 0; i < Steps; i++) step();
        long own = 0, all = long.MaxValue;
        for (int round = 0; round < 4; round++)
        {
            long allBefore = GC.GetTotalAllocatedBytes(precise: true), ownBefore = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Steps / 4; i++) step();
            own += GC.GetAllocatedBytesForCurrentThread() - ownBefore;
            all = Math.Min(all, GC.GetTotalAllocatedBytes(precise: true) - allBefore);
        }
        Assert.Equal(0, own);
        Assert.Equal(0, all);
    }
}
