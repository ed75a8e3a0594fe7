using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Sa2VA.Cli.Live;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>
/// The lines of <c>--json</c> (docs/json-lines.md): one object each, written at once, so that a reader can follow a long video.
/// </summary>
internal sealed class JsonLines(TextWriter output)
{
    /// <summary>Version of the lines: fields may be added without a new one.</summary>
    private const int Schema = 1;

    private readonly ArrayBufferWriter<byte> _line = new();

    /// <summary>Leaves letters of all languages as they are; lone halves of surrogate pairs become U+FFFD.</summary>
    public static JavaScriptEncoder Encoder => JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>What is about to be computed.</summary>
    /// <param name="model">The model.</param>
    /// <param name="media">The picture or video.</param>
    /// <param name="recorded">How a video is followed; null for the usual.</param>
    /// <param name="picture">Its number among the pictures, from 0.</param>
    /// <param name="pictures">How many there are; 1 for a video.</param>
    public void Start(Sa2VAModel model, MediaInput media, RecordedOptions? recorded, int picture, int pictures) => Write("start", json =>
    {
        json.WriteNumber("schema", Schema);
        json.WriteString("model", model.Name);
        json.WriteString("family", model.Family);
        json.WriteString("source", media.Source);
        json.WriteNumber("width", media.Width);
        json.WriteNumber("height", media.Height);
        json.WriteNumber("frames", media.Frames);
        json.WriteString("device", model.DeviceName);
        json.WriteString("dtype", model.Precision.Name());
        json.WriteString("protocol", recorded?.Protocol == VideoProtocol.Consistent ? "consistent" : "upstream");
        json.WriteString("direction", recorded?.Direction switch
        {
            TrackDirection.Backward => "backward",
            TrackDirection.Both => "both",
            _ => "forward",
        });
        json.WriteString("frame_selection", media.Selection.Name);
        json.WriteNumber("picture", picture);
        json.WriteNumber("pictures", pictures);
    });

    /// <summary>What is about to be followed.</summary>
    /// <param name="model">The model.</param>
    /// <param name="source">Camera, stream or video.</param>
    /// <param name="queue">What happens to frames that come too fast.</param>
    /// <param name="served">Where browsers see it; null for nowhere.</param>
    public void Start(Sa2VAModel model, LiveSource source, QueuePolicy queue, string? served) => Write("start", json =>
    {
        json.WriteNumber("schema", Schema);
        json.WriteString("model", model.Name);
        json.WriteString("family", model.Family);
        json.WriteString("source", source.Name);
        json.WriteNumber("width", source.Width);
        json.WriteNumber("height", source.Height);
        json.WriteNull("frames");
        json.WriteString("device", model.DeviceName);
        json.WriteString("dtype", model.Precision.Name());
        json.WriteBoolean("live", source.IsLive);
        json.WriteString("queue", queue switch
        {
            QueuePolicy.Wait => "wait",
            QueuePolicy.DropOldest => "drop-oldest",
            _ => "latest",
        });
        json.WriteString("served", served);
    });

    /// <summary>A complete answer.</summary>
    /// <param name="prompt">The question's number, from 0.</param>
    /// <param name="answer">The answer.</param>
    public void Answer(int prompt, Answer answer) => Write("answer", json =>
    {
        json.WriteNumber("prompt", prompt);
        json.WriteString("text", answer.Text);
        json.WriteString("raw", answer.Raw);
        json.WriteStartArray("objects");
        foreach (AnswerObject o in answer.Objects) json.WriteNumberValue(o.Id);
        json.WriteEndArray();
        json.WriteStartArray("phrases");
        foreach (AnswerObject o in answer.Objects) json.WriteStringValue(o.Phrase);
        json.WriteEndArray();
        json.WriteNumber("tokens", answer.TokenIds.Count);
        json.WriteBoolean("truncated", answer.Truncated);
        json.WriteString("finish", answer.Finish switch
        {
            FinishReason.Length => "length",
            FinishReason.StopString => "stop_string",
            _ => "stop",
        });
        json.WriteBoolean("found", answer.Found);
        json.WriteStartArray("notes");
        foreach (string note in answer.Notes) json.WriteStringValue(note);
        json.WriteEndArray();
    });

    /// <summary>An object that was shown, or corrected, by clicks and a box.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="shown">How.</param>
    public void Shown(int id, ShownObject shown) => Write("shown", json =>
    {
        json.WriteNumber("object", id);
        json.WriteNumber("frame", shown.Frame);
        json.WriteBoolean("corrects", shown.Corrects is not null);
        json.WriteStartArray("points");
        foreach (Click click in shown.Prompt.Clicks)
        {
            json.WriteStartArray();
            json.WriteNumberValue(click.X);
            json.WriteNumberValue(click.Y);
            json.WriteNumberValue(click.Inside ? 1 : 0);
            json.WriteEndArray();
        }
        json.WriteEndArray();
        if (shown.Prompt.Box is { } box)
        {
            json.WriteStartArray("box");
            foreach (float edge in (float[])[box.Left, box.Top, box.Right, box.Bottom]) json.WriteNumberValue(edge);
            json.WriteEndArray();
        }
        else json.WriteNull("box");
    });

    /// <summary>The masks of a frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="latency">Of a live frame, from its push to its masks.</param>
    public void Frame(SegmentedFrame frame, TimeSpan? latency = null) => Write("frame", json =>
    {
        json.WriteNumber("frame", frame.Index);
        json.WriteString("source", frame.Source);
        if (frame.Time is { } time) json.WriteNumber("time", Seconds(time));
        else json.WriteNull("time");
        if (latency is { } delay) json.WriteNumber("latency", Seconds(delay));
        json.WriteStartArray("objects");
        foreach (SegmentedObject o in frame.Objects)
        {
            json.WriteStartObject();
            json.WriteNumber("id", o.Id);
            json.WriteNumber("area", o.Mask.Area);
            if (o.Mask.BoundingBox is { } box)
            {
                json.WriteStartArray("bbox");
                json.WriteNumberValue(box.X);
                json.WriteNumberValue(box.Y);
                json.WriteNumberValue(box.Width);
                json.WriteNumberValue(box.Height);
                json.WriteEndArray();
            }
            else json.WriteNull("bbox");
            Number(json, "score", o.Score);
            json.WriteBoolean("low_score", o.Score < ObjectMask.LowScoreBelow);
            Number(json, "present", o.Present);
            json.WriteStartObject("rle");
            json.WriteStartArray("size");
            json.WriteNumberValue(o.Mask.Height);
            json.WriteNumberValue(o.Mask.Width);
            json.WriteEndArray();
            json.WriteString("counts", CocoRle.Encode(o.Mask));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    /// <summary>What was computed, and how long it took.</summary>
    /// <param name="summary">What was computed.</param>
    /// <param name="loadSeconds">Loading the model; 0 if it was there.</param>
    /// <param name="totalSeconds">All of it.</param>
    /// <param name="output">Where results are; null for nowhere, and where that is not known yet.</param>
    /// <param name="folder">The folder of one of several pictures among the results.</param>
    public void End(SegmentSummary summary, double loadSeconds, double totalSeconds, string? output, string? folder) => Write("end", json =>
    {
        json.WriteNumber("frames", summary.Frames);
        json.WriteNumber("objects", summary.Objects);
        Ids(json, "not_found", summary.NotFound);
        json.WriteNumber("dropped", summary.Dropped);
        json.WriteString("out", output);
        json.WriteString("folder", folder);
        json.WriteStartObject("seconds");
        json.WriteNumber("load", Math.Round(loadSeconds, 4));
        json.WriteNumber("prompt", Math.Round(summary.PromptSeconds, 4));
        if (summary.FirstMaskSeconds is { } first) json.WriteNumber("first_mask", Math.Round(first, 4));
        else json.WriteNull("first_mask");
        json.WriteNumber("total", Math.Round(totalSeconds, 4));
        json.WriteEndObject();
    });

    /// <summary>What was followed until the source ended or was lost.</summary>
    /// <param name="run">What was followed.</param>
    /// <param name="ended">How it ended: "end", "stopped" or "lost".</param>
    /// <param name="seconds">Loading the model, and all of it.</param>
    /// <param name="output">Where results are; null for nowhere.</param>
    public void End(TrackRun run, string ended, (double Load, double Total) seconds, string? output) => Write("end", json =>
    {
        LiveCounters counters = run.Counters;
        json.WriteNumber("frames", counters.Tracked);
        json.WriteNumber("objects", run.Objects);
        Ids(json, "not_found", run.Seen.NotFound);
        json.WriteNumber("dropped", run.Dropped);
        json.WriteString("out", output);
        json.WriteString("ended", ended);
        json.WriteStartObject("counters");
        json.WriteNumber("pushed", counters.Pushed);
        json.WriteNumber("tracked", counters.Tracked);
        json.WriteNumber("dropped", counters.Dropped);
        json.WriteNumber("expired", counters.Expired);
        json.WriteNumber("cancelled", counters.Cancelled);
        json.WriteNumber("failed", counters.Failed);
        json.WriteNumber("unread", counters.Unread);
        json.WriteEndObject();
        json.WriteStartObject("latency");
        json.WriteNumber("p50", Seconds(counters.LatencyP50));
        json.WriteNumber("p95", Seconds(counters.LatencyP95));
        json.WriteNumber("p99", Seconds(counters.LatencyP99));
        json.WriteEndObject();
        json.WriteStartObject("seconds");
        json.WriteNumber("load", Math.Round(seconds.Load, 4));
        json.WriteNumber("total", Math.Round(seconds.Total, 4));
        json.WriteEndObject();
    });

    /// <summary>What came of asking again.</summary>
    public void ReAsked(ReAskResult result) => Write("re_ask", json =>
    {
        Ids(json, "known", result.Known);
        Ids(json, "found_again", result.FoundAgain);
        Ids(json, "newcomers", result.Newcomers);
    });

    /// <summary>Where the results of several pictures are.</summary>
    /// <param name="output">The folder.</param>
    /// <param name="pictures">Pictures that were given.</param>
    /// <param name="completed">Those of them that have results.</param>
    public void Results(string output, int pictures, int completed) => Write("results", json =>
    {
        json.WriteString("out", output);
        json.WriteNumber("pictures", pictures);
        json.WriteNumber("completed", completed);
    });

    /// <summary>Why it ended early.</summary>
    public void Error(string message, int exit) => Write("error", json =>
    {
        json.WriteString("message", message);
        json.WriteNumber("exit", exit);
    });

    private static void Ids(Utf8JsonWriter json, string name, IEnumerable<int> ids)
    {
        json.WriteStartArray(name);
        foreach (int id in ids) json.WriteNumberValue(id);
        json.WriteEndArray();
    }

    private static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 6);

    /// <summary>Writes a number; JSON has none that are not finite, so those are null.</summary>
    public static void Number(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteNull(name);
    }

    /// <summary>Writes one line.</summary>
    /// <param name="type">Its kind.</param>
    /// <param name="fields">Writes the other fields.</param>
    public void Write(string type, Action<Utf8JsonWriter> fields)
    {
        _line.Clear();
        using (var json = new Utf8JsonWriter(_line, new JsonWriterOptions { Encoder = Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("type", type);
            fields(json);
            json.WriteEndObject();
        }
        output.Write(Encoding.UTF8.GetString(_line.WrittenSpan) + "\n");
        output.Flush();
    }
}
