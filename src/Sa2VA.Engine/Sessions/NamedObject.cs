namespace Sa2VA.Engine;

/// <summary>What a stream knows of an object that it follows, beside where it is.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Logits">True if its logits are wanted.</param>
/// <param name="Words">The question whose answer named it; null if it was shown.</param>
/// <param name="Place">Its place among the objects of that answer.</param>
internal readonly record struct NamedObject(int Id, bool Logits, AskedWords? Words = null, int Place = 0)
{
    /// <summary>An object that an answer names.</summary>
    public static NamedObject Of(AnswerObject o, int id, bool logits) => new(id, logits, o.Words, o.Place);
}
