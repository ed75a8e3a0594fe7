using System.Text;

namespace Sa2VA.Cli;

/// <summary>
/// A path in a line that no shell has read: people write it as they would for one, and terminals quote what is dropped on them.
/// </summary>
internal static class TypedPath
{
    /// <summary>
    /// What was meant: what is there under the text itself, else the text without quotation marks and escapes, with ~ resolved.
    /// </summary>
    /// <param name="text">As typed or dropped.</param>
    /// <param name="home">What ~ stands for.</param>
    public static string Of(string text, string home)
    {
        if (Path.Exists(text)) return text;
        bool isQuoted = text[0] is '"' or '\'';
        string plain = Unquoted(text) ?? text;
        return isQuoted ? plain : AtHome(plain, home);
    }

    /// <summary>A path whose beginning ~ is the user's folder, resolved; any other as it is.</summary>
    public static string AtHome(string path, string home) =>
        path == "~" || path.StartsWith("~/", StringComparison.Ordinal) ? Path.Join(home, path[1..]) : path;

    // Null where a quotation mark has no partner. On Windows a backslash parts folders.
    private static string? Unquoted(string text)
    {
        var plain = new StringBuilder(text.Length);
        char quote = '\0';
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (quote == '\0' && c is '"' or '\'') quote = c;
            else if (c == quote) quote = '\0';
            else if (c == '\\' && quote != '\'' && i + 1 < text.Length && !OperatingSystem.IsWindows()) plain.Append(text[++i]);
            else plain.Append(c);
        }
        return quote == '\0' ? plain.ToString() : null;
    }
}
