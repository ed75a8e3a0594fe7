using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Core;

namespace Sa2VA.Engine.Language;

/// <summary>The names by which a prompt's text speaks of regions: <c>region1</c>, <c>region2</c>, …</summary>
internal static partial class RegionNames
{
    /// <summary>
    /// Refuses text that speaks of a region that is not given. Regions that it does not speak of are no error: all are listed anyway.
    /// </summary>
    /// <param name="text">The user's text.</param>
    /// <param name="count">Regions given.</param>
    /// <exception cref="PromptException">The text names one that is not there.</exception>
    public static void Check(string text, int count)
    {
        foreach (Match name in Name().Matches(text))
        {
            if (int.TryParse(name.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1
                && number <= count)
                continue;
            string given = count == 1 ? "only region1 is" : $"region1 to region{count} are";
            throw new PromptException($"The text speaks of {name.Value}; {given} given.");
        }
    }

    [GeneratedRegex(@"\bregion([0-9]+)\b", RegexOptions.CultureInvariant)]
    private static partial Regex Name();
}
