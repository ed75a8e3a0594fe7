using System.Globalization;
using Sa2VA.Engine;
using Sa2VA.Media;
using Spectre.Console;

namespace Sa2VA.Cli;

/// <summary>A caption whose phrases are followed by the number of their object and have its colour.</summary>
internal static class GroundedCaption
{
    private const string ClosesUp = ".,;:!?)";

    /// <summary>Prints it: coloured on a terminal, else as one line.</summary>
    public static void Print(Terminal terminal, Answer answer)
    {
        List<(string Text, int? Id)> pieces = Pieces(answer.Grounded, [.. answer.Objects.Select(o => o.Id)]);
        if (!terminal.OutputIsTerminal)
        {
            terminal.WriteLine(string.Concat(pieces.Select(p => p.Text)));
            return;
        }
        var paragraph = new Paragraph();
        foreach ((string text, int? id) in pieces) paragraph.Append(text, id is { } k ? new Style(Colour(k)) : Style.Plain);
        terminal.Styled.Write(paragraph);
        terminal.WriteLine();
    }

    /// <summary>
    /// The caption in pieces that add up to it; what the tags left between words is one space, before a comma or full stop none.
    /// </summary>
    /// <param name="grounded">The answer.</param>
    /// <param name="ids">Object of each [SEG].</param>
    internal static List<(string Text, int? Id)> Pieces(GroundedText grounded, IReadOnlyList<int> ids)
    {
        var pieces = new List<(string, int?)>();
        foreach (GroundedSpan span in grounded.Spans)
        {
            string text = string.Join(' ', span.Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            if (text.Length == 0) continue;
            string gap = pieces.Count == 0 || ClosesUp.Contains(text[0], StringComparison.Ordinal) ? "" : " ";
            int? id = span.Object is { } i && i < ids.Count ? ids[i] : null;
            if (gap.Length > 0) pieces.Add((gap, null));
            pieces.Add((id is { } k ? string.Create(CultureInfo.InvariantCulture, $"{text} [{k}]") : text, id));
        }
        return pieces;
    }

    private static Color Colour(int id)
    {
        (byte red, byte green, byte blue) = Overlay.Colour(id);
        return new Color(red, green, blue);
    }
}
