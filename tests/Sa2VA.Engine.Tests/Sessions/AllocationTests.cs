using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>A warm token and a warm frame leave nothing for the collector, on no thread.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class AllocationTests
{
    private const int Steps = 40;

    [Theory, InlineData(1), InlineData(2)]
    public void Decoded_token(int threads)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = threads });
        using var conversation = new Conversation(model.LanguageModel, null);
        PredictCase text = Shapes.Case("text-what");
        conversation.Prefill([.. text.PromptIds], 3 * Steps, null, CancellationToken.None);
        Assert.Equal(text.OutputIds[0], conversation.Next(follow: true, CancellationToken.None));
        Measure(() => conversation.Next(follow: true, CancellationToken.None));
    }

    [Theory, InlineData(1), InlineData(2)]
    public void Tracked_frame(int threads)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = threads });
        using VideoSession session = model.OpenVideo(Shapes.Clip[..5], new VideoOptions { ReuseMasks = true });
        Answer answer = session.Ask("Please segment the red circle, the blue star and the yellow triangle.",
            new AskOptions { Logits = true });
        Assert.Equal(3, answer.Objects.Count);
        int frame = 0;
        long area = 0;
        Measure(() =>
        {
            RgbImage image = Shapes.Clip[frame++ % 48];
            FrameMasks masks = session.Next(image.View, CancellationToken.None);
            for (int i = 0; i < masks.Objects.Count; i++) area += masks.Objects[i].Area + masks.Objects[i].Logits.Length;
        });
        Assert.True(area > 0);
        Assert.Equal(frame, session.EncoderRuns);
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
