using System.Text.RegularExpressions;

namespace Sa2VA.Cli;

/// <summary>What a question asks for, as objects are called by it.</summary>
internal static partial class AskedFor
{
    /// <summary>"red circle" of "Please segment the red circle."; all of a question that is worded in another way.</summary>
    public static string In(string prompt) =>
        Request().Match(prompt) is { Success: true } request ? request.Groups["what"].Value : prompt.Trim();

    // [SEG] in a phrase would be read by nobody; a question's marks are not part of what it asks for.
    [GeneratedRegex(@"^\s*(<image>\s*)?((please|can you|could you)\s+)?(please\s+)?segment\s+(out\s+)?(the\s+)?(?<what>\S.*?)[\s.?!]*\z",
        RegexOptions.IgnoreCase | RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Request();
}
