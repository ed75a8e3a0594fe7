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
    /// <summary>The picture through the image encoder; once per session, and only if an answer names an object.</summary>
    Features,
    /// <summary>Masks of the answer's objects.</summary>
    Masks,
}

/// <summary>How far a question has come.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Done">Units done: tiles, tokens, pictures, objects.</param>
/// <param name="Total">Units in all; 0 when not known.</param>
/// <param name="Part">
/// How much of the next unit is done, as a share of its operations: below 1, and 0 where a unit is told that is done. A GPU does not tell.
/// </param>
public readonly record struct AskProgress(AskStage Stage, int Done, int Total, double Part = 0)
{
    /// <summary>Units done, the one in work by its share.</summary>
    public double Amount => Done + Part;
}

/// <summary>Choices for one question.</summary>
public sealed record AskOptions
{
    /// <summary>Upstream's limit on answers.</summary>
    public const int DefaultMaxNewTokens = 2048;

    /// <summary>Most <see cref="StopStrings"/>, and most characters of one.</summary>
    public const int MaxStopStrings = 16, MaxStopStringLength = 1000;

    /// <summary>Most tokens of the answer behind <see cref="AnswerPrefix"/>, 1 or more.</summary>
    public int MaxNewTokens { get; init; } = DefaultMaxNewTokens;

    /// <summary>
    /// Text that ends the answer, wherever token borders are; up to 16 strings of 1 to 1000 characters. It is looked for in what the model
    /// says behind <see cref="AnswerPrefix"/>, tags of phrases included, and is no part of the answer's text.
    /// </summary>
    /// <exception cref="ArgumentException">There are too many, or one is empty or too long.</exception>
    public IReadOnlyList<string> StopStrings
    {
        get;
        init => field = Checked(value);
    } = [];

    /// <summary>
    /// What the answer is made to begin with, such as <c>Sure, [SEG].</c> for small models that forget to segment; a [SEG] in it gives a
    /// mask as if it were generated. Null, the default, for nothing.
    /// </summary>
    public string? AnswerPrefix { get; init; }

    /// <summary>
    /// Masks of an image whose score is below this are dropped: <see cref="AnswerObject.Mask"/> is then null. 0 to 1; 0, the default, for
    /// none.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is no score.</exception>
    public float MinScore
    {
        get;
        init => field = value is >= 0 and <= 1 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "A score is a number from 0 to 1.");
    }

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

    private static IReadOnlyList<string> Checked(IReadOnlyList<string> strings)
    {
        ArgumentNullException.ThrowIfNull(strings);
        if (strings.Count > MaxStopStrings)
            throw new ArgumentException($"{strings.Count} stop strings were given; at most {MaxStopStrings} can be.", nameof(strings));
        if (strings.Any(s => s is not { Length: >= 1 and <= MaxStopStringLength }))
            throw new ArgumentException($"A stop string has 1 to {MaxStopStringLength} characters.", nameof(strings));
        return [.. strings];
    }
}
