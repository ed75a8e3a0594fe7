using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Extensions;

/// <summary>From the options of a chat client to those of a question. What cannot be done is refused, not dropped.</summary>
internal static class AskMapping
{
    public static AskOptions Of(ChatOptions? options, string model, IChatClient client)
    {
        if (options is null) return new AskOptions();
        Refuse(options, model);
        AskOptions ask = options.RawRepresentationFactory?.Invoke(client) switch
        {
            null => new AskOptions(),
            AskOptions given => given,
            var other => throw new PromptException($"RawRepresentationFactory gave {other.GetType().Name}; give {nameof(AskOptions)}."),
        };
        if (options.MaxOutputTokens is { } most) ask = ask with { MaxNewTokens = most };
        if (options.Temperature is { } temperature) ask = ask with { Temperature = temperature };
        if (options.TopK is { } topK) ask = ask with { TopK = topK };
        if (options.TopP is { } topP) ask = ask with { TopP = topP };
        if (options.Seed is { } seed) ask = ask with { Seed = seed };
        if (options.StopSequences is { } stops) ask = ask with { StopStrings = [.. stops] };
        foreach ((string name, object? value) in options.AdditionalProperties ?? []) ask = With(ask, name, value);
        return ask;
    }

    private static AskOptions With(AskOptions ask, string name, object? value) => name switch
    {
        "answer_prefix" => ask with
        {
            AnswerPrefix = (value is JsonElement { ValueKind: JsonValueKind.String } e ? e.GetString() : value as string)
                ?? throw new PromptException("answer_prefix is not a text."),
        },
        "min_score" => ask with { MinScore = Number(name, value) },
        "repetition_penalty" => ask with { RepetitionPenalty = Number(name, value) },
        _ => throw new PromptException(
            $"The additional property '{name}' is not known; answer_prefix, min_score and repetition_penalty are. Leave it out."),
    };

    private static float Number(string name, object? value)
    {
        try
        {
            return value is JsonElement e ? e.GetSingle() : Convert.ToSingle(value, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is InvalidCastException or FormatException or OverflowException or InvalidOperationException)
        {
            throw new PromptException($"{name} is not a number.", e);
        }
    }

    private static void Refuse(ChatOptions options, string model)
    {
        if (options.ModelId is { } id && id != model) throw No($"The model '{id}' was asked for; this client speaks for '{model}'.");
        if (!string.IsNullOrEmpty(options.Instructions)) throw NoInstructions();
        if (options.ConversationId is not null) throw No("ConversationId: no conversation is stored here; send all messages of it.");
        if (options.FrequencyPenalty is not (null or 0) || options.PresencePenalty is not (null or 0))
            throw No("FrequencyPenalty and PresencePenalty: the engine has the additional property repetition_penalty.");
        if (options.Tools is { Count: > 0 } || options.ToolMode is RequiredChatToolMode) throw No("Tools: the model cannot call any.");
        if (options.ResponseFormat is not (null or ChatResponseFormatText)) throw No("ResponseFormat: the model answers in text.");
        if (options.Reasoning is not (null or { Effort: null or ReasoningEffort.None }))
            throw No("Reasoning: the model does not reason apart.");
        if (options.AllowBackgroundResponses == true || options.ContinuationToken is not null)
            throw No("Background responses: an answer is given while it is waited for.");
    }

    /// <summary>The error that the model's template has no place for instructions.</summary>
    public static PromptException NoInstructions() =>
        No("Instructions and system messages: the model was trained without; write what is wanted into the user's message.");

    private static PromptException No(string what) => new("Not supported. " + what);
}
