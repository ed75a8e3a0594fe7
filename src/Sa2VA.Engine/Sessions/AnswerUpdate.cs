namespace Sa2VA.Engine;

/// <summary>What an answer that is asked for as a stream consists of: pieces of text, then its objects, then the whole of it.</summary>
public abstract record AnswerUpdate
{
    private protected AnswerUpdate() { }
}

/// <summary>The next piece of the text. All pieces together are <see cref="Answer.Text"/>.</summary>
/// <param name="Text">At least one character.</param>
public sealed record TextUpdate(string Text) : AnswerUpdate;

/// <summary>What a [SEG] of the text names, in text order: in an image session with its mask, as soon as that is there.</summary>
/// <param name="Object">One of <see cref="Answer.Objects"/>.</param>
public sealed record ObjectUpdate(AnswerObject Object) : AnswerUpdate;

/// <summary>The end of a stream.</summary>
/// <param name="Answer">All of it.</param>
public sealed record AnswerCompleted(Answer Answer) : AnswerUpdate;
