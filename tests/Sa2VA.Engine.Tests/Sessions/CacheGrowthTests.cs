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
        Assert.Equal(large.Prefill(ids.AsSpan(0, prompt), 600, null, Cancellation), small.Prefill(ids.AsSpan(0, prompt), 0, null, Cancellation));
        for (int i = prompt; i < ids.Length; i++)
        {
            Assert.Equal(large.Decode(ids[i], Cancellation), small.Decode(ids[i], Cancellation));
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
        Assert.Equal(large.Prefill(ids, 1, null, Cancellation), small.Prefill(ids, 1, null, Cancellation));
        Assert.Equal(ids.Length, small.PrefilledTokens);
        Assert.Equal(State(large), State(small));
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
