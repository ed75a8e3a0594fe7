namespace Sa2VA.Models;

/// <summary>
/// How a turn is written (docs/model/prompt.md#chat-templates): no system prompt, the user's text between markers, the words that end an
/// answer.
/// </summary>
internal sealed record ChatTemplate(string BeforeText, string AfterText, string Suffix, string Separator, string[] StopWords)
{
    /// <summary>A user's turn, up to where the answer begins.</summary>
    public string Turn(string text) => BeforeText + text + AfterText;
}
