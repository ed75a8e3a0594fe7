using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using Sa2VA.Core;
using Sa2VA.Engine.Language;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A conversation, perhaps about a picture. It owns its KV cache, keeps what questions share, and takes one question at a time;
/// different sessions of a model may be used from different threads. A cancelled or failed question leaves the session as it was before.
/// </summary>
public abstract partial class ChatSession : IDisposable, IAsyncDisposable
{
    private readonly List<int> _history = [];
    private readonly List<(int Length, bool Ended)> _turns = [];
    private Conversation _conversation;
    private ShownPictures _pictures;
    private bool _answered, _ended;
    private AskedWords? _said;
    private int _objects;
    private long _prefilledBefore;

    /// <param name="model">Model.</param>
    /// <param name="picture">What the language model is shown; owned from now on, whatever happens. Null for nothing.</param>
    private protected ChatSession(Sa2VAModel model, ImageTokens? picture)
    {
        (Model, Tiles) = (model, picture?.Grids ?? []);
        Gate = new SessionGate(Release);
        _pictures = picture is null ? new ShownPictures() : new ShownPictures(picture);
        _conversation = new Conversation(model.LanguageModel, _pictures);
    }

    /// <summary>The model.</summary>
    public Sa2VAModel Model { get; }

    /// <summary>Prompt tokens computed so far, over all questions; what prompts share at their beginning is computed once.</summary>
    public long PrefilledTokens => _prefilledBefore + _conversation.PrefilledTokens;

    /// <summary>The number of an object that joins without a question.</summary>
    private protected int NextObject() => Interlocked.Increment(ref _objects) - 1;

    internal SessionGate Gate { get; }

    /// <summary>Tokens of each tile or frame that the language model sees.</summary>
    private protected IReadOnlyList<TokenGrid> Tiles { get; private set; }

    private protected abstract bool IsVideo { get; }

    /// <summary>Asks a question and waits for the whole answer.</summary>
    /// <param name="text">
    /// The question. Where <c>&lt;image&gt;</c> stands, the picture is put; a first question that lacks it gets it in front. A session
    /// without a picture leaves it out.
    /// </param>
    /// <param name="options">Choices; null for upstream's.</param>
    /// <param name="cancellation">Stops within one token.</param>
    /// <exception cref="PromptException">The text does not fit the model or the conversation.</exception>
    /// <exception cref="DeviceMemoryException">
    /// The memory budget, or the tokens that all sessions may have together, do not suffice; other sessions may hold them.
    /// </exception>
    /// <exception cref="NonFiniteException">A network gave NaN or infinity; the message names the stage.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session or its model is closed.</exception>
    public Answer Ask(string text, AskOptions? options = null, CancellationToken cancellation = default) =>
        AskAsync(text, options, null, cancellation).GetAwaiter().GetResult();

    /// <summary>
    /// Asks a question. No thread waits for the answer: the model's scheduler decodes it together with those of other sessions, up to 64
    /// at once; further ones wait for their turn.
    /// </summary>
    /// <inheritdoc cref="Ask(string, AskOptions?, CancellationToken)"/>
    public Task<Answer> AskAsync(string text, AskOptions? options = null, CancellationToken cancellation = default) =>
        Task.Run(() => AskAsync(text, options, null, cancellation), cancellation);

    /// <summary>
    /// Asks a question and gives the answer as it comes: pieces of text while they are decoded, then each object, then the whole. A reader
    /// that leaves early ends the question, and leaves the session as it was before.
    /// </summary>
    /// <inheritdoc cref="Ask(string, AskOptions?, CancellationToken)"/>
    public async IAsyncEnumerable<AnswerUpdate> AskStreamAsync(string text, AskOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var updates = Channel.CreateUnbounded<AnswerUpdate>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task asking = Task.Run(async () =>
        {
            try
            {
                Answer answer = await AskAsync(text, options, update => updates.Writer.TryWrite(update), stop.Token).ConfigureAwait(false);
                updates.Writer.TryWrite(new AnswerCompleted(answer));
            }
            finally
            {
                updates.Writer.Complete();
            }
        }, CancellationToken.None);
        try
        {
            await foreach (AnswerUpdate update in updates.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                cancellation.ThrowIfCancellationRequested();
                yield return update;
            }
            // Its error must reach the reader.
            await asking.ConfigureAwait(false);
        }
        finally
        {
            // A caller that stops reading early must not leave the session busy.
            stop.Cancel();
            await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>
    /// Takes back the latest question and its answer: a follow-up continues what was said before. Objects that it named keep their numbers.
    /// </summary>
    /// <exception cref="PromptException">Nothing was said.</exception>
    /// <exception cref="SessionBusyException">Another call of this session is running.</exception>
    /// <exception cref="ObjectDisposedException">The session is closed.</exception>
    public void Undo()
    {
        using SessionGate.Entry gate = Gate.Enter(this, SessionPart.Chat);
        if (_turns.Count == 0) throw new PromptException("There is nothing to take back.");
        _turns.RemoveAt(_turns.Count - 1);
        _said = _said?.Before;
        (int length, bool ended) = _turns.Count > 0 ? _turns[^1] : (0, false);
        CollectionsMarshal.SetCount(_history, length);
        (_answered, _ended) = (length > 0, ended);
    }

    /// <summary>Asks with a whole prompt as upstream spells it: markers, earlier turns, and a context token for each image row.</summary>
    internal Answer AskSpelled(string spelled, AskOptions? options = null, CancellationToken cancellation = default) =>
        AskAsync(new ToAsk(notes => Model.Prompt.EncodeSpelled(spelled, Media("", new AskOptions(), notes)), null),
            options ?? new AskOptions(), null, cancellation).GetAwaiter().GetResult();

    /// <summary>
    /// Closes the session. Its memory is freed at once, or by a call that is still running on another thread when that ends.
    /// </summary>
    public void Dispose()
    {
        Gate.Close();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Closes the session and waits until its memory is free: until a call that is still running on another thread has ended. A callback of
    /// the session's own question may wait for it too: the question is then answered without further callbacks before its end.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        Callbacks.Closing(this);
        Dispose();
        await Gate.Released.ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>Refuses a question that the session cannot take as it is now.</summary>
    private protected virtual void CheckQuestion() { }

    /// <summary>Turns an answer's objects into masks, or makes them part of the stream, once the question is settled.</summary>
    /// <param name="objects">The objects.</param>
    /// <param name="segs">Their vectors on the device.</param>
    /// <param name="question">Choices, and who is told each object.</param>
    private protected abstract Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs, Question question);

    private protected abstract void DisposeFrames();

    private void Release()
    {
        DisposeFrames();
        _conversation.Dispose();
        _pictures.Dispose();
    }

    private Task<Answer> AskAsync(string text, AskOptions? options, Action<AnswerUpdate>? onUpdate, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(text);
        options ??= new AskOptions();
        return AskAsync(InWords(text, options), options, onUpdate, cancellation);
    }

    private ToAsk InWords(string text, AskOptions options) => new(notes => EncodePrompt(text, options, notes), text);

    /// <summary>Asks a question that the conversation goes on from.</summary>
    private async Task<Answer> AskAsync(ToAsk toAsk, AskOptions options, Action<AnswerUpdate>? onUpdate, CancellationToken cancellation)
    {
        Answer[] answers = await AskAsync([toAsk], options, onUpdate, async (asked, question) =>
        {
            Generated generated = await GenerateAsync(asked[0], question).ConfigureAwait(false);
            return [generated];
        }, (asked, generated) => Remember(asked.Prompt.Asked, generated.Ids, generated.Finish == FinishReason.Stop, options.FollowUp,
            asked.Words), cancellation).ConfigureAwait(false);
        return answers[0];
    }

    /// <summary>Asks questions.</summary>
    /// <param name="toAsk">The questions.</param>
    /// <param name="options">Choices for all of them.</param>
    /// <param name="onUpdate">Told pieces of the answer, or null.</param>
    /// <param name="generate">Has the language model answer.</param>
    /// <param name="remember">Keeps what was said, once nothing can fail any more; null to keep nothing.</param>
    /// <param name="cancellation">The caller's.</param>
    private async Task<Answer[]> AskAsync(IReadOnlyList<ToAsk> toAsk, AskOptions options, Action<AnswerUpdate>? onUpdate,
        Func<Asked[], Question, Task<Generated[]>> generate, Action<Asked, Generated>? remember,
        CancellationToken cancellation)
    {
        using SessionGate.Entry gate = Gate.Enter(this, SessionPart.Chat);
        ObjectDisposedException.ThrowIf(Model.IsDisposed, Model);
        cancellation.ThrowIfCancellationRequested();
        CheckQuestion();
        Asked[] asked = [.. toAsk.Select(q => Prepare(q, options))];
        // Whatever is refused before leaves nothing behind in the caller's token.
        AskTelemetry? telemetry = AskTelemetry.Begin(Model, options);
        var question = new Question(this, options, onUpdate, telemetry, cancellation);
        Generated[] generated = [];
        try
        {
            generated = await generate(asked, question).ConfigureAwait(false);
            Answer[] answers = await CompleteAsync(asked, generated, question).ConfigureAwait(false);
            remember?.Invoke(asked[0], generated[0]);
            telemetry?.End(answers);
            return answers;
        }
        catch (OperationCanceledException e) when (question.Caller.IsCancellationRequested)
        {
            telemetry?.Fail(e);
            throw new OperationCanceledException(question.Caller);
        }
        catch (Exception e) when (telemetry is not null)
        {
            telemetry.Fail(e);
            throw;
        }
        finally
        {
            foreach (SegVector seg in generated.SelectMany(g => g.Segs)) seg.Dispose();
            await question.CompleteAsync().ConfigureAwait(false);
            // A callback may have closed the session and wait until its memory is free.
            if (Gate.IsClosing) gate.Dispose();
            await question.EndAsync().ConfigureAwait(false);
        }
    }

    /// <summary>A question as the language model is given it.</summary>
    private Asked Prepare(ToAsk toAsk, AskOptions options)
    {
        if (options.MaxNewTokens < 1)
            throw new PromptException($"An answer of {options.MaxNewTokens} tokens was asked for; at least 1 is needed.");
        var notes = new List<string>();
        int[] begun = Model.Prompt.Begin(options.AnswerPrefix, Model.StopRule), prompt = [.. toAsk.Encode(notes), .. begun];
        int room = Model.Config.Language.MaxPositions - prompt.Length;
        if (room < 1)
            throw new PromptException(
                $"The prompt has {prompt.Length} tokens; the model supports {Model.Config.Language.MaxPositions} with its answer. "
                + "Shorten it.");
        var rules = new TokenRules(Math.Min(options.MaxNewTokens, room), TokenSampling.Of(options, Model.Prompt.ContextId),
            options.StopStrings);
        return new Asked(Place(prompt, begun.Length, options.FollowUp ? _history.Count : 0), rules, notes,
            toAsk.Text is { } text ? WordsOf(text, options) : null);
    }

    private AskedWords WordsOf(string text, AskOptions options) => AskedWords.Of(text, options, options.FollowUp ? _said : null);

    /// <summary>What the language model needs to know of a prompt's tokens.</summary>
    /// <param name="prompt">Token ids.</param>
    /// <param name="begun">How many of the last ones are the beginning of the answer: a [SEG] there is one of the answer.</param>
    /// <param name="first">Tokens that were said before: their objects are there already.</param>
    private PromptTokens Place(int[] prompt, int begun, int first)
    {
        TokenPositions? positions = Model.Config.Language.Rotary is null ? null : TokenPositions.Of(prompt, _pictures.Grids);
        var segs = new List<int>();
        // A question's last token is never fed behind what it would prompt.
        int end = begun > 0 ? prompt.Length : prompt.Length - 1;
        for (int i = Model.Config.Family.SegmentsPrompt ? first : prompt.Length - begun; i < end && Tiles.Count > 0; i++)
            if (prompt[i] == Model.SegId) segs.Add(i);
        return new PromptTokens(prompt, positions, segs, begun);
    }

    /// <summary>Shows what answers name, all of it or nothing.</summary>
    private async Task<Answer[]> CompleteAsync(Asked[] asked, Generated[] generated, Question question)
    {
        var answers = new Answer[asked.Length];
        var objects = new List<AnswerObject>();
        List<SegVector> segs = [.. generated.SelectMany(g => g.Segs)];
        int first = Interlocked.Add(ref _objects, segs.Count) - segs.Count;
        try
        {
            for (int i = 0; i < answers.Length; i++)
            {
                string said = Model.Tokenizer.Decode(CollectionsMarshal.AsSpan(generated[i].Ids));
                GroundedText grounded = GroundedText.Parse(generated[i].Kept is { } kept ? said[..kept] : said, Model.StopRule.Words);
                // Phrases are the answer's alone.
                PromptTokens prompt = asked[i].Prompt;
                int before = prompt.Segs.Count(place => place < prompt.Ids.Length - prompt.Begun);
                var own = new List<AnswerObject>();
                foreach (SegVector seg in generated[i].Segs)
                {
                    int at = own.Count - before;
                    string? phrase = at >= 0 && at < grounded.Phrases.Count ? grounded.Phrases[at] : null;
                    await seg.Written.WhenReached().ConfigureAwait(false);
                    int number = first + objects.Count + own.Count;
                    own.Add(new AnswerObject(number, phrase, seg.Values) { Words = asked[i].Words, Place = own.Count });
                }
                objects.AddRange(own);
                string raw = Model.Tokenizer.DecodeReference(CollectionsMarshal.AsSpan(generated[i].Ids)).Trim();
                int[] ids = [.. prompt.Asked];
                foreach (ref int id in ids.AsSpan()) id = id < 0 ? Model.Prompt.ContextId : id;
                answers[i] = new Answer(grounded, raw, ids, generated[i], own, asked[i].Notes);
            }
            question.Cancellation.ThrowIfCancellationRequested();
            await SegmentAsync(objects, segs, question).ConfigureAwait(false);
            return answers;
        }
        catch
        {
            // Nobody has heard of these numbers, unless others were given meanwhile.
            Interlocked.CompareExchange(ref _objects, first, first + segs.Count);
            throw;
        }
    }

    private void Remember(ReadOnlySpan<int> asked, IReadOnlyList<int> said, bool ended, bool followsUp, AskedWords? words)
    {
        _history.Clear();
        _history.AddRange(asked);
        _history.AddRange(said);
        (_answered, _ended, _said) = (true, ended, words);
        if (!followsUp) _turns.Clear();
        _turns.Add((_history.Count, _ended));
    }

    private async Task<Generated> GenerateAsync(Asked asked, Question question)
    {
        PromptTokens prompt = asked.Prompt;
        // What another session about the same picture has computed is there already, its image rows included.
        int known = _conversation.Begin(prompt.Ids, prompt.MostKnown);
        await EncodeAsync(prompt.Ids.AsMemory(known), question).ConfigureAwait(false);
        ReadableText? readable = question.TellsText ? new ReadableText(Model.StopRule.Words) : null;
        var reports = new GenerationReports(question.Report(AskStage.Prefill, prompt.Ids.Length), question.ReportTokens(),
            readable is null ? null : piece => Tell(readable.Push(piece)));
        Generated generated = await Model.Generation
            .RunAsync(_conversation, Tiles.Count > 0 ? Model.SegVectors : null, prompt, asked.Rules, reports, question.Cancellation)
            .ConfigureAwait(false);
        if (readable is not null) Tell(readable.End());
        return generated;

        void Tell(string text)
        {
            if (text.Length > 0) question.Tell(new TextUpdate(text));
        }
    }

    /// <summary>Encodes what tokens speak of.</summary>
    private Task EncodeAsync(ReadOnlyMemory<int> ids, Question question) =>
        _pictures.EncodeAsync(ids, tiles => question.Report(AskStage.Vision, tiles), question.Cancellation);

    private int[] EncodePrompt(string text, AskOptions options, List<string> notes)
    {
        // Limits before work: what cannot fit is not even tokenised.
        int positions = Model.Config.Language.MaxPositions;
        long least = Model.Tokenizer.LeastTokens(text);
        if (least > positions)
        {
            throw new PromptException(
                $"The prompt has {text.Length} characters and so at least {least} tokens; the model supports {positions} with its "
                + "answer. Shorten it.");
        }
        if (string.IsNullOrWhiteSpace(text.Replace(Prompt.ImageTag, "", StringComparison.Ordinal)))
            throw new PromptException("The question is empty; write what you want to know, or what is to be segmented.");
        Tokenizer.CheckUnicode(text);
        ArgumentNullException.ThrowIfNull(options.Regions);
        if (options.FollowUp)
        {
            if (!_answered) throw new PromptException("There is nothing to follow up yet; ask a first question.");
            if (ShowsNext) return Model.Prompt.Continue(_history, _ended, Tagged(text), Media(text, options, notes), options.SpecialTokens);
            if (options.Regions.Count > 0) throw new PromptException("Regions belong to the first question about an image.");
            if (text.Contains(Prompt.ImageTag, StringComparison.Ordinal))
                throw new PromptException($"A follow-up question speaks of the picture that is there already; remove {Prompt.ImageTag}.");
            return Model.Prompt.Continue(_history, _ended, text, new PromptMedia([], IsVideo, []), options.SpecialTokens);
        }
        if (options.Temperature == 0 && (options.TopK != 0 || options.TopP != 1 || options.Seed is not null))
            notes.Add("Top-k, top-p and seed have no effect at temperature 0, which takes the likeliest token.");
        if (Tiles.Count == 0 && text.Contains(Prompt.ImageTag, StringComparison.Ordinal))
            notes.Add($"The prompt holds {Prompt.ImageTag}, but there is no picture: the tag was left out.");
        return Model.Prompt.Encode(Tagged(text), Media(text, options, notes), options.SpecialTokens);
    }

    /// <summary>The text, with a tag in front where it lacks one.</summary>
    private string Tagged(string text) =>
        Tiles.Count == 0 || text.Contains(Prompt.ImageTag, StringComparison.Ordinal) ? text : Prompt.ImageTag + text;

    /// <summary>What the tag stands for.</summary>
    private PromptMedia Media(string text, AskOptions options, List<string> notes) =>
        new(Tiles, IsVideo, options.Regions.Count == 0 ? [] : RegionCells(text, options.Regions, notes))
        {
            FirstRow = _pictures.LatestRow,
        };

    /// <summary>The regions as cells of the token grid; what might not be expected of them goes to the notes.</summary>
    private protected virtual Mask[] RegionCells(string text, IReadOnlyList<Mask> regions, List<string> notes) =>
        throw new PromptException("Regions can be marked in an image session only.");

    /// <summary>A question as the language model is given it.</summary>
    /// <param name="Prompt">Its tokens.</param>
    /// <param name="Rules">What the answer's tokens follow.</param>
    /// <param name="Notes">What was done with it that might not be expected.</param>
    /// <param name="Words">The question, where it was asked in words.</param>
    private sealed record Asked(PromptTokens Prompt, TokenRules Rules, List<string> Notes, AskedWords? Words);

    /// <summary>A question that is to be asked.</summary>
    /// <param name="Encode">Gives its token ids, and notes.</param>
    /// <param name="Text">The question, where it is asked in words.</param>
    private sealed record ToAsk(Func<List<string>, int[]> Encode, string? Text);
}

/// <summary>A conversation without a picture.</summary>
public sealed class TextSession : ChatSession
{
    internal TextSession(Sa2VAModel model) : base(model, null) { }

    /// <inheritdoc/>
    public override TextSession Fork()
    {
        using SessionGate.Entry gate = Enter(SessionPart.All);
        return TakeUp(new TextSession(Model));
    }

    private protected override bool IsVideo => false;

    private protected override Task SegmentAsync(IReadOnlyList<AnswerObject> objects, IReadOnlyList<SegVector> segs, Question question) =>
        question.SettleAsync();

    private protected override void DisposeFrames() { }
}
