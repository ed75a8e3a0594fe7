using System.Globalization;
using Sa2VA.Media;

namespace Sa2VA.Cli.Arguments;

/// <summary>How overlays are drawn, in words with commas between them; as by default if it is not given.</summary>
internal sealed class OverlayOption(string name) : ValueOption<OverlayChoice>(name, "STYLE",
    "How overlays are drawn: fill, outline, labels, side-by-side, with commas between them (fill,outline,labels unless given); "
    + "fill=0.3 for a weaker colour; or none.")
{
    private const string Takes = "fill or fill=0…1, outline, labels and side-by-side, with commas between them, or none";

    private protected override OverlayChoice Read(string[] given)
    {
        string text = One(given);
        string[] words = NotEmpty(text).Split(',', StringSplitOptions.TrimEntries);
        if (words is ["none"]) return new OverlayChoice(null);
        var style = new OverlayStyle { Fill = 0, Outline = false, Labels = false };
        foreach (string word in words)
        {
            style = word switch
            {
                "fill" => style with { Fill = OverlayStyle.Default.Fill },
                "outline" => style with { Outline = true },
                "labels" => style with { Labels = true },
                "side-by-side" => style with { SideBySide = true },
                _ when word.StartsWith("fill=", StringComparison.Ordinal) && double.TryParse(word.AsSpan("fill=".Length),
                    NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double fill) && fill is >= 0 and <= 1
                    => style with { Fill = fill },
                _ => throw Refused(Takes, text),
            };
        }
        return new OverlayChoice(style);
    }
}

/// <summary>A style, or none.</summary>
/// <param name="Style">How; null for no overlays.</param>
internal sealed record OverlayChoice(OverlayStyle? Style);
