using System.Diagnostics;

namespace Sa2VA.Engine;

/// <summary>
/// What is measured of a question while it is answered, or of several that are asked at once; there only if somebody listens.
/// </summary>
internal sealed class AskTelemetry
{
    private readonly Sa2VAModel _model;
    private readonly Activity? _activity;
    private readonly long _began = Stopwatch.GetTimestamp();
    private long _first, _last;

    private AskTelemetry(Sa2VAModel model, AskOptions options)
    {
        _model = model;
        if (!Sa2VATelemetry.Source.HasListeners()) return;
        _activity = Sa2VATelemetry.Source.StartActivity($"chat {model.Name}", ActivityKind.Client);
        _activity?.SetTag("gen_ai.operation.name", "chat").SetTag("gen_ai.provider.name", Sa2VATelemetry.Provider)
            .SetTag(Sa2VATelemetry.ModelTag, model.Name).SetTag("gen_ai.request.max_tokens", options.MaxNewTokens);
        if (options.Temperature > 0)
            _activity?.SetTag("gen_ai.request.temperature", options.Temperature).SetTag("gen_ai.request.top_p", options.TopP);
        if (options is { Temperature: > 0, TopK: > 0 }) _activity?.SetTag("gen_ai.request.top_k", options.TopK);
        if (options is { Temperature: > 0, Seed: { } seed }) _activity?.SetTag("gen_ai.request.seed", seed);
    }

    /// <summary>Begins, if somebody listens.</summary>
    public static AskTelemetry? Begin(Sa2VAModel model, AskOptions options) =>
        Sa2VATelemetry.WantsQuestions ? new AskTelemetry(model, options) : null;

    /// <summary>A token has arrived, on the scheduler's thread.</summary>
    public void Token()
    {
        _last = Stopwatch.GetTimestamp();
        if (_first == 0) _first = _last;
    }

    /// <summary>The answers are there.</summary>
    public void End(IReadOnlyList<Answer> answers)
    {
        int asked = answers.Sum(a => a.PromptIds.Count), said = answers.Sum(a => a.TokenIds.Count);
        TagList tags = Tags();
        Sa2VATelemetry.AskDuration.Record(Stopwatch.GetElapsedTime(_began).TotalSeconds, tags);
        if (_first > 0) Sa2VATelemetry.FirstToken.Record(Stopwatch.GetElapsedTime(_began, _first).TotalSeconds, tags);
        // Of answers that come together it is not one time per token.
        if (answers.Count == 1 && said > 1)
            Sa2VATelemetry.NextToken.Record(Stopwatch.GetElapsedTime(_first, _last).TotalSeconds / (said - 1), tags);
        foreach (Answer answer in answers)
        {
            TagList input = tags, output = tags;
            input.Add("gen_ai.token.type", "input");
            output.Add("gen_ai.token.type", "output");
            Sa2VATelemetry.TokenUsage.Record(answer.PromptIds.Count, input);
            Sa2VATelemetry.TokenUsage.Record(answer.TokenIds.Count, output);
        }
        if (_activity is null) return;
        _activity.SetTag("gen_ai.usage.input_tokens", asked).SetTag("gen_ai.usage.output_tokens", said)
            .SetTag("gen_ai.response.finish_reasons", answers.Select(a => a.Truncated ? "length" : "stop").ToArray())
            .SetTag("sa2va.objects", answers.Sum(a => a.Objects.Count)).SetTag("sa2va.found", answers.Any(a => a.Found));
        _activity.Dispose();
    }

    /// <summary>There is no answer.</summary>
    public void Fail(Exception error)
    {
        string type = error.GetType().FullName ?? error.GetType().Name;
        TagList tags = Tags();
        tags.Add("error.type", type);
        Sa2VATelemetry.AskDuration.Record(Stopwatch.GetElapsedTime(_began).TotalSeconds, tags);
        _activity?.SetTag("error.type", type).SetStatus(ActivityStatusCode.Error, error.Message);
        _activity?.Dispose();
    }

    private TagList Tags() => new()
    {
        { "gen_ai.operation.name", "chat" },
        { "gen_ai.provider.name", Sa2VATelemetry.Provider },
        { Sa2VATelemetry.ModelTag, _model.Name },
    };
}
