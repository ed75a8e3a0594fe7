namespace Sa2VA.Models;

/// <summary>
/// How a turn is written (docs/model/prompt.md#chat-templates): the user's text between markers, the words that end an answer, and what
/// stands before the first turn.
/// </summary>
internal sealed record ChatTemplate(string BeforeText, string AfterText, string Suffix, string Separator, string[] StopWords)
{
    /// <summary>A system turn that upstream puts in front of a conversation, or nothing.</summary>
    public string System { get; init; } = "";

    /// <summary>A first turn, up to where the answer begins.</summary>
    public string Turn(string text) => System + BeforeText + text + AfterText;
}
