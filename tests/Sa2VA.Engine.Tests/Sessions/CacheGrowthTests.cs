using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;

namespace Sa2VA.Tests.Sessions;

/// <summary>A cache that was too small gives the bits of one that had the room from the start, at every step across the boundary.</summary>
public sealed class CacheGrowthTests
{
    private const int Smallest = 1024;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Smallest - 3, "in the middle of an answer")]
    [InlineData(Smallest - 1, "at an answer's second token")]
    [InlineData(Smallest, "at an answer's first token")]
    public void An_answer_goes_on(int prompt, string when)
    {
        int[] ids = Ids(prompt + 6);
        using Conversation small = new(Shapes.Model.LanguageModel, null), large = new(Shapes.Model.LanguageModel, null);
        large.Prefill(ids.AsSpan(0, prompt), 600, null, Cancellation);
        small.Prefill(ids.AsSpan(0, prompt), 0, null, Cancellation);
        for (int i = prompt; i < ids.Length; i++)
        {
            Assert.Equal(large.Next(follow: true, Cancellation), small.Next(follow: true, Cancellation));
            Assert.True(State(large).SequenceEqual(State(small)), $"The cache grew {when}; the state at token {i} differs.");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(600)]
    [InlineData(Smallest - 1)]
    public void A_follow_up_goes_on(int shared)
    {
        int[] ids = Ids(Smallest + 90);
        using Conversation small = new(Shapes.Model.LanguageModel, null), large = new(Shapes.Model.LanguageModel, null);
        small.Prefill(ids.AsSpan(0, shared), 1, null, Cancellation);
        large.Prefill(ids.AsSpan(0, shared), Smallest, null, Cancellation);
        large.Prefill(ids, 1, null, Cancellation);
        small.Prefill(ids, 1, null, Cancellation);
        Assert.Equal(large.Next(follow: false, Cancellation), small.Next(follow: false, Cancellation));
        Assert.Equal(ids.Length, small.PrefilledTokens);
        Assert.Equal(State(large), State(small));
    }

    [Fact]
    public void Growing_holds_no_managed_copy()
    {
        int[] ids = Ids(Smallest);
        using Conversation warm = new(Shapes.Model.LanguageModel, null), conversation = new(Shapes.Model.LanguageModel, null);
        // Compiles the larger plans.
        warm.EnsureCapacity(Smallest + 1, Cancellation);
        conversation.Prefill(ids, 0, null, Cancellation);
        long before = GC.GetAllocatedBytesForCurrentThread();
        conversation.EnsureCapacity(Smallest + 1, Cancellation);
        // The bindings of the new cache, and room for the ids of its tokens.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 32 * Smallest);
    }

    [Theory, InlineData(1), InlineData(2), InlineData(3)]
    public void Plans_that_cannot_all_be_made_are_given_back(int at)
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        (int plans, BackendMemory memory) = (device.PlansAlive, model.MemoryInfo);
        int seen = 0;
        device.Compiling = _ =>
        {
            if (++seen == at) throw new DeviceException("Planted.");
        };
        Assert.Throws<DeviceException>(() => model.LanguageModel.Plans(Smallest + 1, Cancellation));
        Assert.Equal((plans, memory), (device.PlansAlive, model.MemoryInfo));
        model.LanguageModel.Plans(Smallest + 1, Cancellation);
        Assert.Equal(plans + 3, device.PlansAlive);
        model.Dispose();
        Assert.Equal(0, device.PlansAlive);
    }

    private static float[] State(Conversation conversation)
    {
        var state = new float[Shapes.Model.Config.Language.HiddenSize];
        conversation.ReadState(state);
        return state;
    }

    private static int[] Ids(int count)
    {
        int[] turn = [.. Shapes.Case("text-what").PromptIds];
        return [.. Enumerable.Range(0, count).Select(i => turn[i * 7 % turn.Length])];
    }
}
