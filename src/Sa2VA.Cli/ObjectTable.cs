using System.Globalization;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using Spectre.Console;

namespace Sa2VA.Cli;

/// <summary>What became of each object, for people. Sums only: it does not grow with the frames.</summary>
internal sealed class ObjectTable
{
    private readonly SortedDictionary<int, Row> _rows = [];

    /// <summary>Takes over an answer's objects.</summary>
    public void Add(string prompt, Answer answer)
    {
        foreach (AnswerObject o in answer.Objects) _rows.Add(o.Id, new Row(o.Id, AskedFor.Of(o, answer, prompt)));
    }

    /// <summary>Takes over an object that was shown.</summary>
    public void Add(int id, ShownObject shown)
    {
        if (shown.Corrects is null) _rows.Add(id, new Row(id, "(shown)"));
        else _rows[id].Of += ", corrected";
    }

    /// <summary>Takes over a frame's masks.</summary>
    public void Add(SegmentedFrame frame)
    {
        foreach (int id in frame.LeftOut) Of(id).Frames++;
        foreach (SegmentedObject o in frame.Objects)
        {
            Row row = Of(o.Id);
            row.Frames++;
            if (o.Mask.Area == 0) continue;
            row.Seen++;
            row.Area += o.Mask.Area;
            row.Score += o.Score;
        }
    }

    /// <summary>Prints it; nothing without objects.</summary>
    public void Print(Terminal terminal)
    {
        if (_rows.Count == 0) return;
        var table = new Table().Border(TableBorder.Simple).AddColumns("object", "of", "frames with a mask", "mean area", "mean score");
        foreach (Row r in _rows.Values)
        {
            (byte red, byte green, byte blue) = Overlay.Colour(r.Id);
            table.AddRow(
                new Text(r.Id.ToString(CultureInfo.InvariantCulture), new Style(new Color(red, green, blue))),
                new Text(r.Of),
                new Text(string.Create(CultureInfo.InvariantCulture, $"{r.Seen} of {r.Frames}")),
                new Text(r.Seen == 0 ? "–" : string.Create(CultureInfo.InvariantCulture, $"{(double)r.Area / r.Seen:0} px")),
                new Text(r.Seen == 0 ? "–" : (r.Score / r.Seen).ToString("0.00", CultureInfo.InvariantCulture)));
        }
        terminal.Styled.Write(table);
    }

    // Whoever is found by asking again has no answer of his own.
    private Row Of(int id)
    {
        if (!_rows.TryGetValue(id, out Row? row)) _rows.Add(id, row = new Row(id, "(found later)"));
        return row;
    }

    private sealed class Row(int id, string of)
    {
        public int Id => id;
        public string Of { get; set; } = of;
        public int Frames { get; set; }
        public int Seen { get; set; }
        public long Area { get; set; }
        public double Score { get; set; }
    }
}
