using System.Text;
using Spectre.Console;

namespace Sa2VA.Cli;

/// <summary>
/// A table of words and numbers, as wide as the terminal at most: headings are broken between words, and where even that is too wide each
/// row becomes a few lines of its own. No cell is cut.
/// </summary>
internal static class TextTable
{
    /// <summary>Prints it; nothing without rows.</summary>
    /// <param name="terminal">Where.</param>
    /// <param name="headings">What the columns are.</param>
    /// <param name="words">So many first columns are words, flush left; the others are numbers.</param>
    /// <param name="rows">A cell for each heading.</param>
    public static void Print(Terminal terminal, IReadOnlyList<string> headings, int words, IReadOnlyList<string[]> rows)
    {
        if (rows.Count == 0) return;
        terminal.WriteLine();
        foreach (string line in Lines(headings, words, rows, terminal.Styled.Profile.Width)) terminal.WriteLine(line);
        terminal.WriteLine();
    }

    /// <summary>Its lines.</summary>
    /// <param name="headings">What the columns are.</param>
    /// <param name="words">So many first columns are words.</param>
    /// <param name="rows">A cell for each heading.</param>
    /// <param name="width">Columns of the terminal.</param>
    internal static IEnumerable<string> Lines(IReadOnlyList<string> headings, int words, IReadOnlyList<string[]> rows, int width)
    {
        int[] widths = [.. headings.Select((h, i) => Math.Max(h.Split(' ').Max(w => w.GetCellWidth()),
            rows.Max(r => r[i].GetCellWidth())))];
        foreach (int gap in (int[])[3, 2, 1])
            if (widths.Sum() + gap * (widths.Length - 1) <= width) return Table(headings, words, rows, widths, gap);
        return rows.SelectMany(r => Record(headings, r, width));
    }

    private static IEnumerable<string> Table(IReadOnlyList<string> headings, int words, IReadOnlyList<string[]> rows, int[] widths, int gap)
    {
        List<string>[] heads = [.. headings.Select((h, i) => Broken(h, widths[i]))];
        int height = heads.Max(h => h.Count);
        for (int y = 0; y < height; y++) yield return Line([.. heads.Select(h => y < height - h.Count ? "" : h[y - height + h.Count])]);
        yield return new string('─', widths.Sum() + gap * (widths.Length - 1));
        foreach (string[] row in rows) yield return Line(row);

        string Line(string[] cells)
        {
            var line = new StringBuilder();
            for (int i = 0; i < cells.Length; i++)
            {
                if (i > 0) line.Append(' ', gap);
                int rest = widths[i] - cells[i].GetCellWidth();
                if (i >= words) line.Append(' ', rest).Append(cells[i]);
                else line.Append(cells[i]).Append(' ', rest);
            }
            return line.ToString().TrimEnd();
        }
    }

    /// <summary>The first cell, below it the others behind their headings, as many in a line as fit.</summary>
    private static IEnumerable<string> Record(IReadOnlyList<string> headings, string[] row, int width)
    {
        yield return row[0];
        string line = "";
        for (int i = 1; i < row.Length; i++)
        {
            if (row[i].Length == 0) continue;
            string pair = $"  {headings[i]}: {row[i]}";
            if (line.Length > 0 && line.GetCellWidth() + 1 + pair.GetCellWidth() > width)
            {
                yield return line;
                line = "";
            }
            line += line.Length > 0 ? "," + pair[1..] : pair;
        }
        if (line.Length > 0) yield return line;
    }

    private static List<string> Broken(string heading, int width)
    {
        var lines = new List<string>();
        foreach (string word in heading.Split(' '))
            if (lines.Count > 0 && lines[^1].GetCellWidth() + 1 + word.GetCellWidth() <= width) lines[^1] += " " + word;
            else lines.Add(word);
        return lines;
    }
}
