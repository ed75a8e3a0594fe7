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

    /// <summary>
    /// Where it is in the image. Null in a video, whose frames come later, and where its score is below <see cref="AskOptions.MinScore"/>.
    /// </summary>
    public ObjectMask? Mask { get; private set; }

    /// <summary>How good the model thinks the mask is: predicted IoU, 0…1. Null in a video, where each frame has its own.</summary>
    public float? Score { get; private set; }

    /// <summary>True if the score says that the mask is hardly the object's (<see cref="ObjectMask.LowScoreBelow"/>).</summary>
    public bool LowScore => Score < ObjectMask.LowScoreBelow;

    /// <summary>
    /// True if the image shows it: its mask is there, not empty, and its score is not low. Always true in a video, whose frames tell.
    /// </summary>
    public bool Found => Score is null || Mask is { Area: > 0, LowScore: false };

    /// <summary>The question that it answers, where that was asked in words.</summary>
    internal AskedWords? Words { get; init; }

    /// <summary>Its place among the objects of its answer, from 0.</summary>
    internal int Place { get; init; }

    /// <summary>Takes its mask, or just the score.</summary>
    internal void Show(ObjectMask mask, float minScore) => (Mask, Score) = (mask.Score < minScore ? null : mask, mask.Score);
}

/// <summary>What ended an answer.</summary>
public enum FinishReason
{
    /// <summary>The model: it said so.</summary>
    Stop,

    /// <summary>The limit on tokens (<see cref="AskOptions.MaxNewTokens"/>) or the model's last position.</summary>
    Length,

    /// <summary>One of <see cref="AskOptions.StopStrings"/>.</summary>
    StopString,
}

/// <summary>The model's answer to one question.</summary>
public sealed class Answer
{
    internal Answer(GroundedText grounded, string raw, int[] promptIds, Generated generated, IReadOnlyList<AnswerObject> objects,
        IReadOnlyList<string> notes)
    {
        (Grounded, Raw, PromptIds, TokenIds) = (grounded, raw, promptIds, generated.Ids);
        (Objects, Finish, Notes) = (objects, generated.Finish, notes);
    }

    /// <summary>
    /// The answer to read: without stop markers and phrase tags, with [SEG]; it ends before the string of
    /// <see cref="AskOptions.StopStrings"/> that ended it.
    /// </summary>
    public string Text => Grounded.Text;

    /// <summary>All that was said, as upstream spells it: special tokens, stop marker and stop string included.</summary>
    public string Raw { get; }

    /// <summary>Phrases and prose.</summary>
    public GroundedText Grounded { get; }

    /// <summary>What the language model was given; context tokens by their id.</summary>
    public IReadOnlyList<int> PromptIds { get; }

    /// <summary>What it said, <see cref="AskOptions.AnswerPrefix"/> and the stop token included.</summary>
    public IReadOnlyList<int> TokenIds { get; }

    /// <summary>One per [SEG], in text order. Empty without a picture.</summary>
    public IReadOnlyList<AnswerObject> Objects { get; }

    /// <summary>
    /// True if the answer names an object that the image shows, or one that a video's frames may show. False for an answer without [SEG],
    /// and where every mask is empty or has a low score: then nothing was found.
    /// </summary>
    public bool Found => Objects.Any(o => o.Found);

    /// <summary>What ended it.</summary>
    public FinishReason Finish { get; }

    /// <summary>True if <see cref="AskOptions.MaxNewTokens"/> or the model's last position ended the answer.</summary>
    public bool Truncated => Finish == FinishReason.Length;

    /// <summary>
    /// What was done with the question that might not be expected, for people: a region that falls between the points at which the language
    /// model looks is named to it, but empty; a tag for a picture that is not there is left out. Usually there is nothing to say.
    /// </summary>
    public IReadOnlyList<string> Notes { get; }
}
