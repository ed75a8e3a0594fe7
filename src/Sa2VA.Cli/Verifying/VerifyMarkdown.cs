using System.Text;

namespace Sa2VA.Cli.Verifying;

/// <summary>The summary as Markdown tables.</summary>
internal static class VerifyMarkdown
{
    public static string Of(VerifySummary summary)
    {
        var text = new StringBuilder();
        Table(VerifyCells.StageHeadings, [.. summary.Stages.Select(VerifyCells.Of)]);
        Table(VerifyCells.PredictHeadings, [.. summary.Predictions.Select(VerifyCells.Of)]);
        text.Append(VerifyCells.Counts(summary)).Append(".\n");
        foreach ((string reason, int count) in summary.SkipReasons)
            text.Append(FormattableString.Invariant($"- {count} skipped: {reason}\n"));
        return text.ToString();

        void Table(string[] headings, string[][] rows)
        {
            if (rows.Length == 0) return;
            Row(headings);
            Row([.. headings.Select((_, i) => i == 0 ? "---" : "---:")]);
            foreach (string[] row in rows) Row([row[0].StartsWith('[') ? row[0] : $"`{row[0]}`", .. row[1..]]);
            text.Append('\n');
        }

        void Row(string[] cells) => text.Append("| ").AppendJoin(" | ", cells).Append(" |\n");
    }
}
