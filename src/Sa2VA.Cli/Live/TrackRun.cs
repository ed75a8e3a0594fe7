using System.Diagnostics;
using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Cli.Live;

/// <summary>What <c>track</c> follows, and how.</summary>
internal sealed record TrackRequest
{
    /// <summary>Questions that name objects; they are asked about the first frames.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>An object that is shown on the first frame; null for none.</summary>
    public VisualPrompt? Shown { get; init; }

    /// <summary>How answers are made.</summary>
    public required AskOptions Ask { get; init; }

    /// <summary>How many first frames the language model sees.</summary>
    public required int Look { get; init; }

    /// <summary>What happens to frames that come too fast.</summary>
    public required QueuePolicy Queue { get; init; }

    /// <summary>How old a frame may be when its masks come out; null for any age.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Masks of a lower score are left out.</summary>
    public float MinScore { get; init; }

    /// <summary>The questions are asked again after so many frames; null for never.</summary>
    public int? ReAsk { get; init; }
}

/// <summary>
/// Follows objects on a live source. Three things go on at once: frames are read and pushed at their pace, questions are answered, and
/// results are told. A recorded video waits for the answers; a camera does not, and what they name joins when it is known.
/// </summary>
internal sealed class TrackRun(Terminal terminal, LiveSource source, TrackRequest request, HeldNotes notes)
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(terminal.Cancellation);
    private readonly ConditionalWeakTable<RgbImage, SourceFrame> _origins = [];
    private readonly TaskCompletionSource _shown = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<int, string?> _names = [];
    private readonly Lock _telling = new();
    private IReadOnlyList<Answer> _answers = [];
    private Task _asking = Task.CompletedTask;
    private Task<bool>? _pending;
    private int? _shownId;

    /// <summary>Told that the model is there and tracking begins.</summary>
    public required Action<Sa2VAModel> OnStart { get; init; }

    /// <summary>Told all answers, with their questions' numbers; never beside another call.</summary>
    public required Action<int, Answer> OnAnswer { get; init; }

    /// <summary>Told the number of the object that was shown, before the frame that it was shown on.</summary>
    public required Action<int, ShownObject> OnShown { get; init; }

    /// <summary>Told each frame whose masks are there, with its delay and the counts so far.</summary>
    public required Action<SegmentedFrame, TimeSpan, LiveCounters> OnFrame { get; init; }

    /// <summary>Told what came of asking again.</summary>
    public required Action<ReAskResult> OnReAsked { get; init; }

    /// <summary>True if nobody sees how far questions are.</summary>
    public bool QuietQuestions { get; init; }

    /// <summary>What became of the frames.</summary>
    public LiveCounters Counters { get; private set; }

    /// <summary>Objects that were named or shown.</summary>
    public int Objects => _names.Count;

    /// <summary>Which objects were seen.</summary>
    public Sightings Seen { get; } = new();

    /// <summary>What is to be said at the end of questions that named what was not seen, and of what was shown and was not.</summary>
    public IEnumerable<string> NothingSeen => _answers.Select((a, i) => Seen.NoteOn(request.Prompts[i], a))
        .Append(_shownId is { } id ? Seen.NoteOnShown(id, isVideo: true) : null).OfType<string>();

    /// <summary>Masks that were left out for their score.</summary>
    public int Dropped { get; private set; }

    /// <summary>True if there is nothing to follow, nor will there be.</summary>
    private bool IsOver => _names.Count == 0 && request.Shown is null && !AsksAnyway;

    /// <summary>True if questions that named nothing are asked again as well; that is done without choices about the answer.</summary>
    private bool AsksAnyway => request.ReAsk is not null && request.Ask == new AskOptions();

    /// <summary>Runs until the source ends.</summary>
    /// <param name="load">Loads the model; a camera's frames pass meanwhile.</param>
    /// <exception cref="MediaException">The source was lost; what was told until then holds.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; what was told until then holds.</exception>
    public async Task RunAsync(Func<Sa2VAModel> load)
    {
        using CancellationTokenSource stop = _stop;
        IAsyncEnumerator<SourceFrame> frames = source.FramesAsync(stop.Token).GetAsyncEnumerator(CancellationToken.None);
        try
        {
            await RunAsync(load, frames).ConfigureAwait(false);
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            if (_pending is { } pending) await ((Task)pending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await frames.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task RunAsync(Func<Sa2VAModel> load, IAsyncEnumerator<SourceFrame> frames)
    {
        using Sa2VAModel model = await LoadAsync(load, frames).ConfigureAwait(false);
        foreach (string note in model.Config.Notes) notes.Add(note);
        OnStart(model);
        var first = new List<SourceFrame>();
        while (first.Count < request.Look && await NextAsync(frames).ConfigureAwait(false)) first.Add(frames.Current);
        if (first.Count == 0) throw new MediaException($"{source.Name} ended before the model was loaded.");
        var options = new VideoOptions { Logits = request.Ask.Logits, KeepFrames = request.ReAsk is null ? 0 : request.Look };
        await using VideoSession session = request.Prompts.Count == 0 ? model.OpenTracker(options)
            : model.OpenVideo(first.Select(f => f.Picture), options);
        await using var live = new LiveVideo(session, new LiveOptions
        {
            Policy = request.Queue,
            Failed = Failed,
            ReAsk = request.ReAsk is not { } often ? null
                : new ReAskOptions { EveryFrames = often, ShownFrames = request.Look, Questions = AsksAnyway ? request.Prompts : [] },
            ReAsked = ReAsked,
        });
        IAsyncEnumerable<LiveResult> results = live.ResultsAsync(_stop.Token);
        if (request.Shown is null) _shown.SetResult();
        if (request.Prompts.Count > 0) _asking = AskAsync(session);
        // What is recorded can wait, and would be over before a slow model has answered.
        if (!source.IsLive) await _asking.ConfigureAwait(false);
        if (_asking.IsCompletedSuccessfully && IsOver) return;
        Task pushing = PushAsync(live, first, frames);
        try
        {
            await foreach (LiveResult result in results.ConfigureAwait(false)) await TellAsync(live, result).ConfigureAwait(false);
            await pushing.ConfigureAwait(false);
            await _asking.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_asking.IsFaulted && !terminal.Cancellation.IsCancellationRequested)
        {
            // Of a question that failed everything else was stopped.
            await _asking.ConfigureAwait(false);
        }
        finally
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(pushing, _asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await live.DisposeAsync().ConfigureAwait(false);
            Counters = live.Counters;
        }
    }

    /// <summary>Loads the model. What a camera sees meanwhile is over when it is there.</summary>
    private async Task<Sa2VAModel> LoadAsync(Func<Sa2VAModel> load, IAsyncEnumerator<SourceFrame> frames)
    {
        Task<Sa2VAModel> loading = Task.Run(load);
        try
        {
            while (source.IsLive && !loading.IsCompleted)
            {
                _pending = frames.MoveNextAsync().AsTask();
                await Task.WhenAny(_pending, loading).ConfigureAwait(false);
                // The frame that is waited for when the model is there is the first that counts.
                if (loading.IsCompleted || !await _pending.ConfigureAwait(false)) break;
                source.LetPass();
            }
        }
        catch
        {
            (await loading.ConfigureAwait(false)).Dispose();
            throw;
        }
        return await loading.ConfigureAwait(false);
    }

    private async ValueTask<bool> NextAsync(IAsyncEnumerator<SourceFrame> frames)
    {
        if (_pending is not { } pending) return await frames.MoveNextAsync().ConfigureAwait(false);
        _pending = null;
        return await pending.ConfigureAwait(false);
    }

    private async Task AskAsync(VideoSession session)
    {
        try
        {
            AskOptions options = request.Ask with
            {
                Progress = QuietQuestions ? null : new Reports<AskProgress>(terminal.Show),
            };
            IReadOnlyList<Answer> answers = request.Prompts.Count == 1
                ? [await session.AskAsync(request.Prompts[0], options, _stop.Token).ConfigureAwait(false)]
                : await session.AskManyAsync(request.Prompts, options, _stop.Token).ConfigureAwait(false);
            terminal.Progress.Clear();
            lock (_telling)
            {
                _answers = answers;
                for (int i = 0; i < answers.Count; i++)
                {
                    foreach (string note in answers[i].Notes) notes.Add(note);
                    if (answers[i].Truncated)
                        notes.Add($"The answer to {Quoted.Of(request.Prompts[i])} {AskFlags.CutOff(answers[i], request.Ask)}");
                    if (!answers[i].Found) notes.Add(NothingFound.In(answers[i], request.Prompts[i]));
                    notes.Tell();
                    OnAnswer(i, answers[i]);
                    foreach (AnswerObject o in answers[i].Objects) _names[o.Id] = AskedFor.Of(o, answers[i], request.Prompts[i]);
                }
                if (!IsOver) return;
            }
            await _stop.CancelAsync().ConfigureAwait(false);
        }
        catch
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    private async Task PushAsync(LiveVideo live, List<SourceFrame> first, IAsyncEnumerator<SourceFrame> frames)
    {
        try
        {
            long? start = null;
            TimeSpan begin = default;
            for (int i = 0; i < first.Count || await NextAsync(frames).ConfigureAwait(false); i++)
            {
                SourceFrame frame = i < first.Count ? first[i] : frames.Current;
                if (start is null) (start, begin) = (Stopwatch.GetTimestamp(), frame.Time);
                TimeSpan early = frame.Time - begin - Stopwatch.GetElapsedTime(start.Value);
                if (!source.IsLive && early > TimeSpan.Zero) await Task.Delay(early, _stop.Token).ConfigureAwait(false);
                _origins.Add(frame.Picture, frame);
                // Whoever shows something points at the first frame; it must come through, and stay the newest.
                TimeSpan? deadline = _shown.Task.IsCompleted ? request.Deadline : null;
                await live.PushAsync(frame.Picture, frame.Time, deadline, _stop.Token).ConfigureAwait(false);
                await _shown.Task.WaitAsync(_stop.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            // What waits is still told, also of a source that was lost.
            _ = live.CompleteAsync();
        }
    }

    private async Task TellAsync(LiveVideo live, LiveResult result)
    {
        FrameMasks masks = result.Masks;
        if (!_shown.Task.IsCompleted)
        {
            FollowedObject followed = await live.FollowAsync(request.Shown!, _stop.Token).ConfigureAwait(false);
            lock (_telling)
            {
                OnShown(followed.Id, new ShownObject(request.Shown!, 0, null));
                _shownId = followed.Id;
                _names[followed.Id] = null;
            }
            masks = followed.Masks;
        }
        // An object joins the stream a moment before its answer can be told.
        bool isKnown;
        lock (_telling) isKnown = masks.Objects.All(o => _names.ContainsKey(o.Id));
        if (!isKnown) await _asking.ConfigureAwait(false);
        if (!_origins.TryGetValue(result.Picture!, out SourceFrame? origin)) throw new InvalidOperationException("A frame of nowhere.");
        Seen.Add(masks.Objects);
        List<SegmentedObject> kept = [.. masks.Objects.Where(m => m.Score >= request.MinScore)
            .Select(o => SegmentedObject.Of(o, _names.GetValueOrDefault(o.Id)))];
        int[] leftOut = [.. masks.Objects.Where(m => m.Score < request.MinScore).Select(m => m.Id)];
        Dropped += leftOut.Length;
        lock (_telling)
        {
            OnFrame(new SegmentedFrame(origin.Index, origin.Name, origin.Picture, kept) { Time = origin.Time, LeftOut = leftOut },
                result.Latency, live.Counters);
        }
        _shown.TrySetResult();
    }

    private void ReAsked(ReAskResult result)
    {
        lock (_telling)
        {
            foreach (int id in result.Newcomers) _names.TryAdd(id, null);
            OnReAsked(result);
        }
    }

    private void Failed(TimeSpan time, Exception error)
    {
        if (!_shown.Task.IsCompleted) _shown.TrySetException(error);
        notes.Add($"A frame was left out: {error.Message}");
    }
}
