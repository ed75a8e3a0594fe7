using System.Text;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// What a benchmark's stages ran and when, in the format of Chrome's trace viewer (chrome://tracing, ui.perfetto.dev): a process for each
/// stage, a lane for each of its queues, times in microseconds from the stage's first kernel.
/// </summary>
public static class ChromeTrace
{
    /// <summary>The stages of a report that were traced, as JSON.</summary>
    public static string Json(BenchmarkReport report)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream))
        {
            json.WriteStartObject();
            json.WriteString("displayTimeUnit", "ns");
            json.WriteStartArray("traceEvents");
            for (int i = 0; i < report.Stages.Count; i++) Write(json, i + 1, report.Stages[i]);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static void Write(Utf8JsonWriter json, int process, StageMeasurement stage)
    {
        if (stage.Trace is not { Count: > 0 } trace) return;
        Name(json, "process_name", process, 0, stage.Stage);
        string[] queues = [.. trace.Select(k => k.Queue).Distinct()];
        for (int i = 0; i < queues.Length; i++) Name(json, "thread_name", process, i + 1, queues[i]);
        double begin = trace.Min(k => k.Start);
        foreach (TimedKernel k in trace)
        {
            json.WriteStartObject();
            json.WriteString("name", k.Kernel);
            json.WriteString("cat", k.Op?.GetType().Name ?? "copy");
            json.WriteString("ph", "X");
            json.WriteNumber("ts", Microseconds(k.Start - begin));
            json.WriteNumber("dur", Microseconds(k.Seconds));
            json.WriteNumber("pid", process);
            json.WriteNumber("tid", Array.IndexOf(queues, k.Queue) + 1);
            json.WriteStartObject("args");
            json.WriteString("graph", k.Graph);
            if (k.Op is not null) json.WriteString("op", k.Op.Name);
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void Name(Utf8JsonWriter json, string kind, int process, int lane, string name)
    {
        json.WriteStartObject();
        json.WriteString("name", kind);
        json.WriteString("ph", "M");
        json.WriteNumber("pid", process);
        json.WriteNumber("tid", lane);
        json.WriteStartObject("args");
        json.WriteString("name", name);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static double Microseconds(double seconds) => Math.Round(seconds * 1e6, 3);
}
