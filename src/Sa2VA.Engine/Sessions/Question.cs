namespace Sa2VA.Engine;

/// <summary>A question while it is being answered: its choices, and who is told what becomes of it.</summary>
internal sealed class Question
{
    private readonly Action<AnswerUpdate>? _onUpdate;
    private readonly Callbacks? _callbacks;
    private readonly AskTelemetry? _telemetry;

    /// <param name="session">Whose it is.</param>
    /// <param name="options">Choices.</param>
    /// <param name="onUpdate">Told pieces of the answer, or null.</param>
    /// <param name="telemetry">Told of tokens, or null.</param>
    /// <param name="cancellation">The caller's.</param>
    public Question(object session, AskOptions options, Action<AnswerUpdate>? onUpdate, AskTelemetry? telemetry,
        CancellationToken cancellation)
    {
        (Options, _onUpdate, _telemetry, Caller) = (options, onUpdate, telemetry, cancellation);
        if (options.Progress is not null || onUpdate is not null) _callbacks = new Callbacks(session, cancellation);
        Cancellation = _callbacks?.Cancellation ?? cancellation;
    }

    /// <summary>Choices.</summary>
    public AskOptions Options { get; }

    /// <summary>The caller's.</summary>
    public CancellationToken Caller { get; }

    /// <summary>Stops it: the caller's, or a callback that failed.</summary>
    public CancellationToken Cancellation { get; }

    /// <summary>True if somebody wants pieces of text.</summary>
    public bool TellsText => _onUpdate is not null;

    /// <summary>Whom to tell how many units of a stage are done, parts of one included; null if nobody wants to know.</summary>
    public Action<double>? Report(AskStage stage, int total)
    {
        if (Options.Progress is not { } progress) return null;
        double told = 0;
        return done => _callbacks!.Post(() =>
        {
            // What runs ahead may be told before what is done behind it.
            if (done <= told) return;
            told = done;
            double whole = Math.Floor(done);
            progress.Report(new AskProgress(stage, (int)whole, total, done - whole));
        });
    }

    /// <summary>Whom to tell how many tokens of the answer there are; null if nobody wants to know.</summary>
    public Action<int>? ReportTokens() => Report(AskStage.Decode, 0) is { } report ? CountTokens() + (n => report(n)) : CountTokens();

    /// <summary>Who measures when tokens come; null if nobody does.</summary>
    public Action<int>? CountTokens() => _telemetry is { } telemetry ? _ => telemetry.Token() : null;

    /// <summary>Tells a piece of the answer.</summary>
    public void Tell(AnswerUpdate update)
    {
        if (_onUpdate is { } onUpdate) _callbacks!.Post(() => onUpdate(update));
    }

    /// <summary>Waits until the caller has been told everything so far: what is done then cannot be undone by him any more.</summary>
    /// <exception cref="OperationCanceledException">The question was cancelled.</exception>
    public async Task SettleAsync()
    {
        if (_callbacks is not null) await _callbacks.FlushAsync().ConfigureAwait(false);
        Cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>Waits until the caller has been told everything, or waits himself for the question's end.</summary>
    public Task CompleteAsync() => _callbacks?.CompleteAsync() ?? Task.CompletedTask;

    /// <summary>Ends telling.</summary>
    public Task EndAsync() => _callbacks?.EndAsync() ?? Task.CompletedTask;
}
