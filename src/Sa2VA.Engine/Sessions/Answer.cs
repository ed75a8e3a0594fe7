using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>What one [SEG] of an answer names.</summary>
public sealed class AnswerObject
{
    internal AnswerObject(int id, string? phrase, float[] embedding) => (Id, Phrase, Embedding) = (id, phrase, embedding);

    /// <summary>Number within the session, from 0.</summary>
    public int Id { get; }

    /// <summary>The phrase that the answer gives for it, or null.</summary>
    public string? Phrase { get; }

    /// <summary>The vector that prompts the segmentation [D].</summary>
    public ReadOnlyMemory<float> Embedding { get; }

    /// <summary>Where it is in the image. Null in a video, whose frames come later.</summary>
    public ObjectMask? Mask { get; internal set; }
}

/// <summary>The model's answer to one question.</summary>
public sealed class Answer
{
    internal Answer(GroundedText grounded, string raw, int[] promptIds, Generated generated, IReadOnlyList<AnswerObject> objects,
        IReadOnlyList<string> notes)
    {
        (Grounded, Raw, PromptIds, TokenIds) = (grounded, raw, promptIds, generated.Ids);
        (Objects, Truncated, Notes) = (objects, generated.Truncated, notes);
    }

    /// <summary>The answer to read: without stop markers and phrase tags, with [SEG].</summary>
    public string Text => Grounded.Text;

    /// <summary>The answer as upstream spells it, special tokens and stop marker included.</summary>
    public string Raw { get; }

    /// <summary>Phrases and prose.</summary>
    public GroundedText Grounded { get; }

    /// <summary>What the language model was given; context tokens by their id.</summary>
    public IReadOnlyList<int> PromptIds { get; }

    /// <summary>What it said, the stop token included.</summary>
    public IReadOnlyList<int> TokenIds { get; }

    /// <summary>One per [SEG], in text order. Empty without a picture.</summary>
    public IReadOnlyList<AnswerObject> Objects { get; }

    /// <summary>True if <see cref="AskOptions.MaxNewTokens"/> or the model's last position ended the answer.</summary>
    public bool Truncated { get; }

    /// <summary>
    /// What was done with the question that might not be expected, for people: a region that falls between the points at which the language
    /// model looks is named to it, but empty; a tag for a picture that is not there is left out. Usually there is nothing to say.
    /// </summary>
    public IReadOnlyList<string> Notes { get; }
}
