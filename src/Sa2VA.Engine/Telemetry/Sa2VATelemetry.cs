using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Sa2VA.Engine;

/// <summary>
/// What a program may listen to, by <c>System.Diagnostics</c> or OpenTelemetry (docs/embedding.md#metrics-and-traces). Where nobody
/// listens, nothing is measured and nothing allocated.
/// </summary>
public static class Sa2VATelemetry
{
    /// <summary>Name of the meter and of the source of activities.</summary>
    public const string Name = "Sa2VA.Engine";

    internal const string Provider = "sa2va", ModelTag = "gen_ai.request.model";

    private static readonly Meter Meter = new(Name);

    internal static readonly ActivitySource Source = new(Name);

    // Buckets are those that the conventions advise.
    internal static readonly Histogram<double> AskDuration = Meter.CreateHistogram("gen_ai.client.operation.duration", "s",
        "How long a question took, with its masks.", null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
        });

    internal static readonly Histogram<long> TokenUsage = Meter.CreateHistogram("gen_ai.client.token.usage", "{token}",
        "Tokens of prompts and answers.", null,
        new InstrumentAdvice<long>
        {
            HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
        });

    internal static readonly Histogram<double> FirstToken = Meter.CreateHistogram("gen_ai.server.time_to_first_token", "s",
        "From a question to its first token, the picture's encoding and the prompt included.", null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0],
        });

    internal static readonly Histogram<double> NextToken = Meter.CreateHistogram("gen_ai.server.time_per_output_token", "s",
        "Per token behind the first.", null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5],
        });

    private static readonly Histogram<double> FrameDuration = Meter.CreateHistogram("sa2va.frame.duration", "s",
        "How long a frame of a stream took.", null,
        new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.001, 0.002, 0.005, 0.01, 0.02, 0.033, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
        });

    private static readonly Histogram<long> FrameObjects = Meter.CreateHistogram<long>("sa2va.frame.objects", "{object}",
        "Objects that were followed on a frame.");

    /// <summary>True if somebody wants to know of questions.</summary>
    internal static bool WantsQuestions => AskDuration.Enabled || TokenUsage.Enabled || FirstToken.Enabled || NextToken.Enabled
        || Source.HasListeners();

    /// <summary>When a frame began; 0 if nobody wants to know.</summary>
    internal static long BeginFrame() => FrameDuration.Enabled || FrameObjects.Enabled ? Stopwatch.GetTimestamp() : 0;

    /// <summary>Measures a frame that is kept.</summary>
    internal static void EndFrame(long began, Sa2VAModel model, int objects)
    {
        if (began == 0) return;
        var tag = new KeyValuePair<string, object?>(ModelTag, model.Name);
        FrameDuration.Record(Stopwatch.GetElapsedTime(began).TotalSeconds, tag);
        FrameObjects.Record(objects, tag);
    }
}
