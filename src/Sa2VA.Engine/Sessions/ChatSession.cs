using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sa2VA.Core;
using Sa2VA.Engine.Language;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation, perhaps about a picture. It owns its KV cache, keeps what questions share, and has one caller at a time; different sessions
/// of a model may be used from different threads. A cancelled or failed question leaves the session as it was before.
/// </summary>
public abstract class ChatSession : IDisposable
{
    private readonly Conversation _conversation;
    private readonly DeviceBuffer? _imageTokens;
    private readonly List<int> _history = [];
    private bool _encoded, _answered, _ended;
    private int _objects;

    private protected ChatSession(Sa2VAModel model, int tiles)
    {
        Model = model;
        Tiles = tiles;
        Gate = new SessionGate(Release);
        if (tiles > 0) _imageTokens = model.VisionTower.AllocateTokens();
        try
        {
            _conversation = new Conversation(model.LanguageModel, _imageTokens);
        }
        catch
        {
            _imageTokens?.Dispose();
            throw;
        }
    }

    /// <summary>The model.</summary>
    public Sa2VAModel Model { get; }

    /// <summary>Prompt tokens computed so far, over all questions; what prompts share at their beginning is computed once.</summary>
    public long PrefilledTokens => _conversation.PrefilledTokens;

    internal SessionGate Gate { get; }

    /// <summary>Tiles or frames that the language model sees.</summary>
    private protected int Tiles { get; }

    private protected abstract bool IsVideo { get; }

    /// <summary>Asks a question and waits for the whole answer.</summary>
    /// <param name="text">
    /// The question. Where <c>&lt;image&gt;</c> stands, the picture is put; a first question that lacks it gets it in front.
    /// </param>
    /// <param name="options">Choices; null for upstream's.</param>
    /// <param name="cancellation">Stops within one token.</param>
    /// <exception cref="PromptException">The text does not fit the model or the conversation, or the session is busy.</exception>
    public Answer Ask(string text, AskOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new AskOptions();
        using SessionGate.Entry gate = Gate.Enter(this);
        ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
        cancellation.ThrowIfCancellationRequested();
        if (options.MaxNewTokens < 1) throw new PromptException($"An answer of {options.MaxNewTokens} tokens was asked for; at least 1 is needed.");
        int[] prompt = EncodePrompt(text, options);
        int room = Model.Config.Language.MaxPositions - prompt.Length;
        if (room < 1)
            throw new PromptException($"The prompt has {prompt.Length} tokens; the model supports {Model.Config.Language.MaxPositions} with its answer. Shorten it.");
        if (!_encoded && Tiles > 0)
        {
            Model.VisionTower.Encode(LanguageTiles(), _imageTokens!, Report(options, AskStage.Vision, Tiles), cancellation);
            _encoded = true;
        }
        Generated generated = Generation.Run(_conversation, prompt, Model.Tokenizer, Model.StopRule, Model.SegId, Model.Config.Language.HiddenSize,
            Math.Min(options.MaxNewTokens, room), Report(options, AskStage.Prefill, prompt.Length), Report(options, AskStage.Decode, 0), options.OnText, cancellation);

        string raw = Model.Tokenizer.DecodeReference(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(generated.Ids)).Trim();
        GroundedText grounded = GroundedText.Parse(
            Model.Tokenizer.Decode(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(generated.Ids)), Model.StopRule.Words);
        var objects = new List<AnswerObject>();
        if (Tiles > 0)
        {
            for (int i = 0; i < generated.SegStates.Count; i++)
                objects.Add(new AnswerObject(_objects + i, i < grounded.Phrases.Count ? grounded.Phrases[i] : null, Model.ProjectSeg(generated.SegStates[i], cancellation)));
            Segment(objects, options, cancellation);
        }

        _objects += objects.Count;
        _history.Clear();
        _history.AddRange(prompt);
        _history.AddRange(generated.Ids);
        (_answered, _ended) = (true, !generated.Truncated);
        int context = Model.Prompt.ContextId;
        return new Answer(grounded, raw, [.. prompt.Select(id => id < 0 ? context : id)], generated.Ids, objects, generated.Truncated);
    }

    /// <summary>Asks a question on a worker thread.</summary>
    /// <inheritdoc cref="Ask"/>
    public Task<Answer> AskAsync(string text, AskOptions? options = null, CancellationToken cancellation = default) =>
        Task.Run(() => Ask(text, options, cancellation), cancellation);

    /// <summary>Asks a question and gives the answer's pieces as they are decoded; they add up to the text with special tokens.</summary>
    /// <param name="text">See <see cref="Ask"/>.</param>
    /// <param name="options">See <see cref="Ask"/>; its <see cref="AskOptions.OnText"/> is called as well.</param>
    /// <param name="onAnswer">Told the whole answer at the end.</param>
    /// <param name="cancellation">Stops within one token.</param>
    public async IAsyncEnumerable<string> AskStreamAsync(string text, AskOptions? options = null, Action<Answer>? onAnswer = null,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        options ??= new AskOptions();
        var pieces = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<Answer> asking = Task.Run(() =>
        {
            try
            {
                return Ask(text, options with
                {
                    OnText = piece =>
                    {
                        options.OnText?.Invoke(piece);
                        pieces.Writer.TryWrite(piece);
                    },
                }, stop.Token);
            }
            finally
            {
                pieces.Writer.Complete();
            }
        }, CancellationToken.None);
        try
        {
            await foreach (string piece in pieces.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false)) yield return piece;
            // Awaited whether or not anybody wants the answer: its error must reach the reader.
            Answer answer = await asking.ConfigureAwait(false);
            onAnswer?.Invoke(answer);
        }
        finally
        {
            // A caller that stops reading early must not leave the session busy.
            stop.Cancel();
            await ((Task)asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Frees the session's memory; a call that is still running on another thread ends first.</summary>
    public void Dispose()
    {
        Gate.Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>What the language model sees, each [t, t, 3].</summary>
    private protected abstract IReadOnlyList<RgbImage> LanguageTiles();

    /// <summary>Turns an answer's objects into masks, or makes them part of the stream.</summary>
    private protected abstract void Segment(IReadOnlyList<AnswerObject> objects, AskOptions options, CancellationToken cancellation);

    private protected abstract void DisposeFrames();

    private void Release()
    {
        DisposeFrames();
        _conversation.Dispose();
        _imageTokens?.Dispose();
    }

    private int[] EncodePrompt(string text, AskOptions options)
    {
        if (options.FollowUp)
        {
            if (!_answered) throw new PromptException("There is nothing to follow up yet; ask a first question.");
            if (options.Regions.Count > 0) throw new PromptException("Regions belong to the first question about an image.");
            return Model.Prompt.Continue(_history, _ended, text, options.SpecialTokens);
        }
        if (options.Regions.Count > 0 && (IsVideo || Tiles == 0)) throw new PromptException("Regions can be marked in an image session only.");
        int side = Model.Config.Vision.Grid / 2;
        var media = new PromptMedia(Tiles, IsVideo, RegionMasks.Cells(options.Regions, side));
        bool lacksTag = Tiles > 0 && options.PastText.Length == 0 && !text.Contains(Prompt.ImageTag, StringComparison.Ordinal);
        return Model.Prompt.Encode(lacksTag ? Prompt.ImageTag + text : text, options.PastText, media, options.SpecialTokens);
    }

    private protected static Action<int>? Report(AskOptions options, AskStage stage, int total) =>
        options.OnProgress is { } report ? done => report(new AskProgress(stage, done, total)) : null;
}

/// <summary>A conversation without a picture.</summary>
public sealed class TextSession : ChatSession
{
    internal TextSession(Sa2VAModel model) : base(model, 0) { }

    private protected override bool IsVideo => false;

    private protected override IReadOnlyList<RgbImage> LanguageTiles() => [];

    private protected override void Segment(IReadOnlyList<AnswerObject> objects, AskOptions options, CancellationToken cancellation) { }

    private protected override void DisposeFrames() { }
}
