using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>Work that a question consists of, in order.</summary>
public enum AskStage
{
    /// <summary>Tiles or frames through the vision tower; once per session.</summary>
    Vision,
    /// <summary>Prompt tokens through the language model.</summary>
    Prefill,
    /// <summary>Answer tokens, one at a time; how many there will be is not known.</summary>
    Decode,
    /// <summary>Masks of the answer's objects.</summary>
    Masks,
}

/// <summary>How far a question has come.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Done">Units done: tiles, tokens, objects.</param>
/// <param name="Total">Units in all; 0 when not known.</param>
public readonly record struct AskProgress(AskStage Stage, int Done, int Total);

/// <summary>Choices for one question.</summary>
public sealed record AskOptions
{
    /// <summary>Upstream's limit on answers.</summary>
    public const int DefaultMaxNewTokens = 2048;

    /// <summary>Most tokens of the answer, 1 or more.</summary>
    public int MaxNewTokens { get; init; } = DefaultMaxNewTokens;

    /// <summary>
    /// What logits are divided by before a token is drawn (docs/sampling.md), 0 to 100. 0, the default, takes the likeliest token, as
    /// upstream does; the draw's other choices then have no effect.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside of its range.</exception>
    public float Temperature
    {
        get;
        init => field = value is >= 0 and <= 100 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A temperature is 0, for the likeliest token, to 100.");
    }

    /// <summary>Only so many of the likeliest tokens are drawn from, 1 or more; 0, the default, for all.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public int TopK
    {
        get;
        init => field = value is >= 0 and < int.MaxValue ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Top-k is how many tokens are left: 1 or more, or 0 for all.");
    }

    /// <summary>
    /// Of those, the likeliest that together have this probability, 0 to 1; one is always left. 1, the default, leaves all.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no probability.</exception>
    public float TopP
    {
        get;
        init => field = value is >= 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Top-p is a probability from 0 to 1.");
    } = 1;

    /// <summary>
    /// How much less likely a token becomes that prompt or answer hold already, as in Hugging Face transformers: its logit is divided by
    /// this above 0 and multiplied below, 0.1 to 10. 1, the default, changes nothing. It has effect at any temperature.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is outside of its range.</exception>
    public float RepetitionPenalty
    {
        get;
        init => field = value is >= 0.1f and <= 10 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A repetition penalty is from 0.1 to 10; 1 changes nothing.");
    } = 1;

    /// <summary>
    /// What the random numbers of the draw follow from: the same seed gives the same answer, alone or beside other sessions. Null, the
    /// default, for another one each time.
    /// </summary>
    public long? Seed { get; init; }

    /// <summary>True to continue the conversation; false to ask about the same picture anew, as if nothing had been said.</summary>
    public bool FollowUp { get; init; }

    /// <summary>
    /// Regions of the image that the text calls <c>region1</c>, <c>region2</c>, … (docs/model/prompt.md#regions); first turn of an image
    /// session only. Each has the image's size and marks something of it. Text that speaks of a region that is not here is refused.
    /// </summary>
    public IReadOnlyList<Mask> Regions { get; init; } = [];

    /// <summary>How text that spells a special token, such as <c>[SEG]</c>, is read.</summary>
    public SpecialTokenText SpecialTokens { get; init; } = SpecialTokenText.Parse;

    /// <summary>True to keep the mask logits at the picture's size.</summary>
    public bool Logits { get; init; }

    /// <summary>
    /// Told how far the work has come, one call after the other, on a thread of the pool: the work does not wait for it, the end of the
    /// question does. If it throws, the question fails with that; once a question is cancelled, no further call is made.
    /// </summary>
    public IProgress<AskProgress>? Progress { get; init; }
}
