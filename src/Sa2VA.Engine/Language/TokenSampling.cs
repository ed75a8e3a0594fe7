using Sa2VA.Core;

namespace Sa2VA.Engine.Language;

/// <summary>
/// How the tokens of one answer are drawn (docs/sampling.md). The random number of each token follows from the seed and the token's place
/// in the answer, so an answer does not depend on what else is decoded.
/// </summary>
/// <param name="options">Choices.</param>
/// <param name="contextId">The token that stands for a part of a picture.</param>
internal sealed class TokenSampling(AskOptions options, int contextId)
{
    private readonly ulong _seed = Mix((ulong)(options.Seed ?? Random.Shared.NextInt64()));

    /// <summary>The repetition penalty, as runs are given it.</summary>
    public int PenaltyBits => BitConverter.SingleToInt32Bits(options.RepetitionPenalty);

    /// <summary>What a question asks for; null where the likeliest tokens are taken.</summary>
    public static TokenSampling? Of(AskOptions options, int contextId) =>
        options.Temperature == 0 && options.RepetitionPenalty == 1 ? null : new TokenSampling(options, contextId);

    /// <summary>How a token is drawn.</summary>
    /// <param name="place">Its place in the answer, from 0.</param>
    public SamplingChoice Choice(int place) => options.Temperature == 0 ? SamplingChoice.Largest
        : new SamplingChoice(options.Temperature, options.TopK, options.TopP, (int)(Mix(_seed + (ulong)place) >> 33) % int.MaxValue);

    /// <summary>Which tokens a prompt holds, a bit for each; null where that does not matter.</summary>
    /// <param name="prompt">Token ids; below 0 for parts of a picture.</param>
    /// <param name="words">Integers of 32 bits.</param>
    public int[]? Held(ReadOnlySpan<int> prompt, int words)
    {
        if (options.RepetitionPenalty == 1) return null;
        var held = new int[words];
        foreach (int id in prompt)
        {
            int token = id < 0 ? contextId : id;
            held[token / 32] |= 1 << token % 32;
        }
        return held;
    }

    /// <summary>SplitMix64.</summary>
    private static ulong Mix(ulong z)
    {
        z += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
}
