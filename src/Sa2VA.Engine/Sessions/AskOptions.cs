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
