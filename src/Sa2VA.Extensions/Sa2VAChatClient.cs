using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Extensions;

/// <summary>
/// A model as a chat client: messages with text and pictures in; text as it comes, masks (<see cref="MaskContent"/>) and token counts out.
/// Any number of requests may be made at once; their answers are decoded together. A conversation that goes on finds what was computed of
/// it (docs/embedding.md#ichatclient).
/// </summary>
public sealed class Sa2VAChatClient : IChatClient
{
    /// <summary>
    /// Additional property of a response: whether anything was found (<see cref="Answer.Found"/>), where a picture was asked about.
    /// </summary>
    public const string FoundProperty = "sa2va.found";

    /// <summary>
    /// Additional property of a response: what was done with the question that might not be expected (<see cref="Answer.Notes"/>).
    /// </summary>
    public const string NotesProperty = "sa2va.notes";

    /// <summary>Conversations that are kept to go on, unless others are asked for.</summary>
    public const int DefaultKeptConversations = 16;

    private readonly KeptSessions _kept;
    private readonly ChatClientMetadata _metadata;
    private readonly ILogger _logger;
    private volatile bool _isDisposed;

    /// <summary>Wraps a model.</summary>
    /// <param name="model">The model; not owned. It may serve sessions beside.</param>
    /// <param name="keptConversations">Most conversations whose pages and pictures are kept for the next message; 0 for none.</param>
    /// <param name="logger">Told of answers, or null.</param>
    public Sa2VAChatClient(Sa2VAModel model, int keptConversations = DefaultKeptConversations, ILogger<Sa2VAChatClient>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfNegative(keptConversations);
        (Model, _kept) = (model, new KeptSessions(keptConversations));
        _metadata = new ChatClientMetadata("sa2va", defaultModelId: model.Name);
        _logger = logger ?? (ILogger)NullLogger.Instance;
    }

    /// <summary>The model.</summary>
    public Sa2VAModel Model { get; }

    /// <summary>Answers the last message.</summary>
    /// <param name="messages">
    /// The whole conversation: messages of user and assistant in turn, with text and at most one picture (<see cref="DataContent"/> of an
    /// image type) per question. Masks are those of the latest picture.
    /// </param>
    /// <param name="options">
    /// Temperature, top-k, top-p, seed, stop sequences, most tokens; additional properties <c>answer_prefix</c>, <c>min_score</c>,
    /// <c>repetition_penalty</c>; <see cref="ChatOptions.RawRepresentationFactory"/> may give <see cref="AskOptions"/>. Null for
    /// upstream's.
    /// </param>
    /// <param name="cancellationToken">Stops within one token.</param>
    /// <exception cref="PromptException">The messages or options hold what the model cannot be given or do.</exception>
    /// <exception cref="MediaException">A picture cannot be read.</exception>
    /// <exception cref="DeviceMemoryException">Memory, or the tokens that all conversations may have together, do not suffice.</exception>
    /// <exception cref="ObjectDisposedException">The client or its model is closed.</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var contents = new List<AIContent>();
        var text = new StringBuilder();
        ChatResponseUpdate? last = null;
        await foreach (ChatResponseUpdate update in GetStreamingResponseAsync(messages, options, cancellationToken).ConfigureAwait(false))
        {
            text.Append(update.Text);
            contents.AddRange(update.Contents.Where(c => c is MaskContent));
            last = update;
        }
        if (text.Length > 0) contents.Insert(0, new TextContent(text.ToString()));
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, contents) { MessageId = last!.MessageId, CreatedAt = last.CreatedAt })
        {
            ResponseId = last.ResponseId,
            ModelId = last.ModelId,
            CreatedAt = last.CreatedAt,
            FinishReason = last.FinishReason,
            Usage = last.Contents.OfType<UsageContent>().Single().Details,
            RawRepresentation = last.RawRepresentation,
            AdditionalProperties = last.AdditionalProperties,
        };
    }

    /// <summary>Answers the last message as the answer comes: pieces of text, masks, at last how it ended and the tokens.</summary>
    /// <inheritdoc cref="GetResponseAsync"/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages,
        ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        Transcript transcript = Transcript.Of(messages);
        AskOptions ask = AskMapping.Of(options, Model.Name, this) with { FollowUp = transcript.Turns.Count > 1 };
        // An answer that has to begin anew is the same one.
        if (ask.Temperature > 0) ask = ask with { Seed = ask.Seed ?? Random.Shared.NextInt64() };
        int given = 0;
        string response = Guid.NewGuid().ToString("N");
        DateTimeOffset created = DateTimeOffset.UtcNow;
        long began = TimeProvider.System.GetTimestamp();
        for (bool again = false; ; again = true)
        {
            ChatSession session = Open(transcript);
            ChatSession? own = session;
            try
            {
                IAsyncEnumerator<AnswerUpdate> answer = session.AskStreamAsync(transcript.Turns[^1].Text, ask, cancellationToken)
                    .GetAsyncEnumerator(cancellationToken);
                await using ConfiguredAsyncDisposable ends = answer.ConfigureAwait(false);
                int skip = given;
                while (true)
                {
                    try
                    {
                        if (!await answer.MoveNextAsync().ConfigureAwait(false)) yield break;
                    }
                    catch (DeviceMemoryException e) when (!again && _kept.Clear())
                    {
                        // What was kept for later is not worth more than what is asked now.
                        _logger.KeptConversationsClosed(e.Message);
                        break;
                    }
                    catch (Exception e) when (e is not OperationCanceledException)
                    {
                        _logger.AnswerFailed(Model.Name, e);
                        throw;
                    }
                    if (Behind(answer.Current, ref skip) is not { } next) continue;
                    given += Size(next);
                    var update = new ChatResponseUpdate(ChatRole.Assistant, Contents(next, session))
                    {
                        ResponseId = response, MessageId = response, ModelId = Model.Name, CreatedAt = created,
                    };
                    if (next is AnswerCompleted { Answer: var whole })
                    {
                        Finish(update, whole, session);
                        _logger.Answered(Model.Name, whole.PromptIds.Count, whole.TokenIds.Count, whole.Objects.Count,
                            TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
                        own = null;
                        _kept.Keep(transcript.KeyWith(whole.Text), session);
                    }
                    yield return update;
                }
            }
            finally
            {
                if (own is not null) await own.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// This client, its model (<see cref="Sa2VAModel"/>), or <see cref="ChatClientMetadata"/>; null for anything else, or with a key.
    /// </summary>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null) return null;
        if (serviceType == typeof(ChatClientMetadata)) return _metadata;
        if (serviceType == typeof(Sa2VAModel)) return Model;
        return serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>
    /// Closes what is kept of conversations. Requests that are being answered end as they would have; the model stays open.
    /// </summary>
    public void Dispose()
    {
        _isDisposed = true;
        _kept.Dispose();
    }

    /// <summary>A session in which everything but the last question was said.</summary>
    private ChatSession Open(Transcript transcript)
    {
        int said = transcript.Turns.Count - 1, known = said;
        ChatSession? session = null;
        for (; known > 0 && session is null; known--) session = _kept.Fork(transcript.KeyOf(known));
        if (session is not null) known++;
        try
        {
            for (int i = known; i <= said; i++)
            {
                TranscriptTurn turn = transcript.Turns[i];
                session = Show(session, turn.Picture);
                if (turn.Answer is { } answer) session.Recall(turn.Text, answer, new AskOptions { FollowUp = i > 0 });
            }
            return session!;
        }
        catch
        {
            session?.Dispose();
            throw;
        }
    }

    /// <summary>A session that goes on with a picture; the one before is closed.</summary>
    private ChatSession Show(ChatSession? session, DataContent? picture)
    {
        if (picture is null) return session ?? Model.OpenText();
        RgbImage image = ImageFile.Load(picture.Data.Span, picture.Name ?? "the picture");
        if (session is null) return Model.OpenImage(image);
        ChatSession next = session.ForkWithImage(image);
        session.Dispose();
        return next;
    }

    /// <summary>What an update has behind that of an answer which was given already; null if nothing.</summary>
    /// <param name="update">The update.</param>
    /// <param name="skip">Characters and objects that were given.</param>
    private static AnswerUpdate? Behind(AnswerUpdate update, ref int skip)
    {
        int size = Size(update), over = Math.Min(skip, size);
        skip -= over;
        if (over == 0) return update;
        return update is TextUpdate text && over < size ? new TextUpdate(text.Text[over..]) : null;
    }

    /// <summary>What an update gives: characters, or an object.</summary>
    private static int Size(AnswerUpdate update) => update switch { TextUpdate text => text.Text.Length, ObjectUpdate => 1, _ => 0 };

    private static List<AIContent> Contents(AnswerUpdate update, ChatSession session) => update switch
    {
        TextUpdate text => [new TextContent(text.Text)],
        ObjectUpdate named => [new MaskContent(named.Object, ((ImageSession)session).Image)],
        _ => [],
    };

    private static void Finish(ChatResponseUpdate update, Answer answer, ChatSession session)
    {
        // A beginning of the answer that was given counts as computed, not as asked.
        long known = Math.Max(0, answer.PromptIds.Count - session.PrefilledTokens);
        update.Contents.Add(new UsageContent(new UsageDetails
        {
            InputTokenCount = answer.PromptIds.Count,
            OutputTokenCount = answer.TokenIds.Count,
            TotalTokenCount = answer.PromptIds.Count + answer.TokenIds.Count,
            CachedInputTokenCount = known,
        }));
        update.FinishReason = answer.Finish == FinishReason.Length ? ChatFinishReason.Length : ChatFinishReason.Stop;
        update.RawRepresentation = answer;
        if (session is ImageSession) (update.AdditionalProperties ??= [])[FoundProperty] = answer.Found;
        if (answer.Notes.Count > 0) (update.AdditionalProperties ??= [])[NotesProperty] = answer.Notes;
    }
}
