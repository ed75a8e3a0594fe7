using System.Text.Json;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Verifying;

/// <summary>
/// Results as JSON lines: <c>golden</c> and <c>predict</c> per file, <c>summary</c> at the end. Numbers that are not finite are null.
/// </summary>
internal sealed class VerifyJson(Terminal terminal) : IVerifyOutput
{
    private readonly JsonLines _lines = new(terminal.Out);

    public void Write(StageResult result)
    {
        terminal.Progress.Clear();
        _lines.Write("golden", json =>
        {
            json.WriteString("path", result.Path);
            json.WriteString("stage", result.Stage);
            json.WriteString("model", result.Model);
            json.WriteString("status", Word(result.Status));
            if (result.SkipReason is { } reason) json.WriteString("reason", reason);
            json.WriteNumber("seconds", Math.Round(result.Seconds, 4));
            json.WriteStartArray("tensors");
            foreach (TensorCheck c in result.Checks)
            {
                json.WriteStartObject();
                json.WriteString("name", c.Name);
                json.WriteBoolean("passed", c.Passed);
                json.WriteNumber("count", c.Count);
                JsonLines.Number(json, "max_error", c.MaxError);
                JsonLines.Number(json, "max_allowed", c.MaxAllowed);
                JsonLines.Number(json, "rms_error", c.RmsError);
                JsonLines.Number(json, "rms_allowed", c.RmsAllowed);
                JsonLines.Number(json, "max_value", c.MaxValue);
                JsonLines.Number(json, "rms_value", c.RmsValue);
                if (c.Rule is { } rule) json.WriteString("rule", rule);
                if (c.LowestIou is { } lowest) JsonLines.Number(json, "lowest_iou", lowest);
                if (c.ReferenceIou is { } reference) JsonLines.Number(json, "reference_lowest_iou", reference);
                if (c.Ties > 0) json.WriteNumber("ties", c.Ties);
                if (c.Problem is { } problem) json.WriteString("problem", problem);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
    }

    public void Write(PredictRun run)
    {
        terminal.Progress.Clear();
        _lines.Write("predict", json =>
        {
            json.WriteString("path", run.Path);
            json.WriteString("name", run.Case.Name);
            json.WriteString("model", run.Case.Model);
            json.WriteString("status", Word(run.Status));
            if (run.SkipReason is { } reason) json.WriteString("reason", reason);
            json.WriteNumber("seconds", Math.Round(run.Seconds, 4));
            if (run.Result is not { } r) return;
            json.WriteBoolean("text_equal", r.TextEqual);
            json.WriteBoolean("ids_equal", r.IdsEqual);
            json.WriteNumber("objects", r.Ious.Count);
            JsonLines.Number(json, "lowest_iou", r.LowestIou);
            JsonLines.Number(json, "lowest_median_iou", r.LowestMedian);
            JsonLines.Number(json, "seg_error", r.SegError);
            JsonLines.Number(json, "lowest_allowed", r.Bound.Lowest);
            JsonLines.Number(json, "lowest_median_allowed", r.Bound.Median);
            if (r.ReferenceIou is { } reference) JsonLines.Number(json, "reference_lowest_iou", reference);
            if (run.Case.MinIouGap is { } gap) JsonLines.Number(json, "min_iou_gap", gap);
            if (r.Worst is { } worst)
            {
                json.WriteStartObject("worst_mask");
                json.WriteNumber("object", worst.Object);
                json.WriteNumber("frame", worst.Frame);
                json.WriteNumber("pixels", worst.Pixels);
                json.WriteNumber("differing", worst.Differing);
                json.WriteEndObject();
            }
            if (r.Mismatch is { } mismatch) json.WriteString("mismatch", mismatch);
        });
    }

    public void End(VerifySummary summary)
    {
        terminal.Progress.Clear();
        _lines.Write("summary", json =>
        {
            json.WriteNumber("passed", summary.Passed);
            json.WriteNumber("failed", summary.Failed);
            json.WriteNumber("tied", summary.Tied);
            json.WriteNumber("ties", summary.Ties);
            json.WriteNumber("skipped", summary.Skipped);
            json.WriteStartArray("stages");
            foreach (StageRow r in summary.Stages)
            {
                json.WriteStartObject();
                json.WriteString("stage", r.Stage);
                json.WriteNumber("files", r.Files);
                json.WriteNumber("failed", r.Failed);
                json.WriteNumber("tensors", r.Tensors);
                json.WriteNumber("ties", r.Ties);
                JsonLines.Number(json, "rms", r.Rms);
                JsonLines.Number(json, "max", r.Max);
                JsonLines.Number(json, "share", r.Share);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
    }

    private static string Word(StageStatus status) => status switch
    {
        StageStatus.Passed => "passed",
        StageStatus.Failed => "failed",
        StageStatus.Tied => "tied",
        _ => "skipped",
    };
}
