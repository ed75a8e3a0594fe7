using System.Text.RegularExpressions;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>What a question asks for, as objects are called by it.</summary>
internal static partial class AskedFor
{
    /// <summary>"red circle" of "Please segment the red circle."; all of a question that is worded in another way.</summary>
    public static string In(string prompt) =>
        Request().Match(prompt) is { Success: true } request ? request.Groups["what"].Value : prompt.Trim();

    /// <summary>
    /// What an object is called: the answer's own phrase, or what was asked for; of a list of as many things as objects, its part.
    /// </summary>
    public static string Of(AnswerObject o, Answer answer, string prompt)
    {
        if (o.Phrase is { } phrase) return phrase;
        string all = In(prompt);
        string[] things = BetweenThings().Split(all);
        int at = answer.Objects.Count == things.Length ? answer.Objects.ToList().IndexOf(o) : -1;
        return at < 0 ? all : things[at];
    }

    [GeneratedRegex(@"(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?:the\s+)?", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex BetweenThings();

    // [SEG] in a phrase would be read by nobody; a question's marks are not part of what it asks for.
    [GeneratedRegex(@"^\s*(<image>\s*)?((please|can you|could you)\s+)?(please\s+)?segment\s+(out\s+)?(the\s+)?(?<what>\S.*?)[\s.?!]*\z",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Request();
}
