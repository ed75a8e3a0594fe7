using System.Text;

namespace Sa2VA.Cli.Tests;

/// <summary>
/// The words of a command line of the documentation, as a shell splits them: blanks, quotation marks of both kinds, a comment at the end.
/// </summary>
internal static class ShellWords
{
    public static string[] Of(string line)
    {
        var words = new List<string>();
        StringBuilder? word = null;
        char quote = '\0';
        foreach (char c in line)
        {
            if (quote != '\0' && c == quote) quote = '\0';
            else if (quote == '\0' && c is '"' or '\'')
            {
                quote = c;
                word ??= new StringBuilder();
            }
            else if (quote == '\0' && c == ' ')
            {
                if (word is not null) words.Add(word.ToString());
                word = null;
            }
            else if (quote == '\0' && c == '#' && word is null) break;
            else (word ??= new StringBuilder()).Append(c);
        }
        if (word is not null) words.Add(word.ToString());
        return [.. words];
    }
}
