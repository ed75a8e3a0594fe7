using Microsoft.Extensions.Logging;

namespace Sa2VA.Extensions;

/// <summary>What is logged; the event ids are documented in docs/embedding.md#logging.</summary>
internal static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Loading the model in '{Folder}'.")]
    public static partial void ModelLoading(this ILogger logger, string folder);

    [LoggerMessage(2, LogLevel.Information,
        "Loaded {Model} ({Family}) on {Device} in {Precision}: {Bytes} bytes held, {Milliseconds:0} ms.")]
    public static partial void ModelLoaded(this ILogger logger, string model, string family, string device, string precision, long bytes,
        double milliseconds);

    [LoggerMessage(3, LogLevel.Warning, "{Model}: {Note}")]
    public static partial void ModelNote(this ILogger logger, string model, string note);

    [LoggerMessage(4, LogLevel.Error, "The model in '{Folder}' could not be loaded.")]
    public static partial void ModelFailed(this ILogger logger, string folder, Exception error);

    [LoggerMessage(10, LogLevel.Debug,
        "{Model} answered: {InputTokens} tokens in, {OutputTokens} out, {Objects} objects, {Milliseconds:0} ms.")]
    public static partial void Answered(this ILogger logger, string model, int inputTokens, int outputTokens, int objects,
        double milliseconds);

    [LoggerMessage(11, LogLevel.Warning, "{Model} could not answer.")]
    public static partial void AnswerFailed(this ILogger logger, string model, Exception error);

    [LoggerMessage(12, LogLevel.Warning, "Conversations that were kept are closed to make room: {Reason}")]
    public static partial void KeptConversationsClosed(this ILogger logger, string reason);
}
