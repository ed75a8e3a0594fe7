using Sa2VA.Models;

namespace Sa2VA.Engine.Language;

/// <summary>What becomes of an answer behind a token.</summary>
internal enum AfterToken
{
    /// <summary>It goes on.</summary>
    GoOn,

    /// <summary>It goes on, and the state of the step that consumes the token is asked for.</summary>
    TakeState,

    /// <summary>It is over.</summary>
    End,
}

/// <summary>One answer in progress: a prompt, and who is told its tokens. The scheduler's from beginning to end.</summary>
/// <param name="conversation">What was said before; it has begun with this prompt.</param>
/// <param name="prompt">Token ids, at least one; −1 − j stands for image row j.</param>
/// <param name="maxNewTokens">Most tokens of the answer, at least 1.</param>
/// <param name="onToken">Told each token of the answer, on the scheduler's thread: it must be quick, and may fail.</param>
/// <param name="cancellation">Ends it within one step.</param>
internal sealed class Turn(Conversation conversation, int[] prompt, int maxNewTokens, Func<int, AfterToken> onToken,
    CancellationToken cancellation)
{
    private readonly TaskCompletionSource<bool> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Whose tokens.</summary>
    public Conversation Conversation => conversation;

    /// <summary>Token ids.</summary>
    public ReadOnlySpan<int> Prompt => prompt;

    /// <summary>Positions of the prompt's tokens on three axes; null where a token's place is its position.</summary>
    public TokenPositions? Positions { get; init; }

    /// <summary>How its tokens are drawn; null where the likeliest are taken.</summary>
    public TokenSampling? Sampling { get; init; }

    /// <summary>Places of the prompt, in order and none known already, whose states are asked for too.</summary>
    public IReadOnlyList<int> StatePlaces { get; init; } = [];

    /// <summary>
    /// Tokens of a chunk that begins at a place: as many as may be, or up to the next place whose state is asked for, or to another
    /// picture.
    /// </summary>
    public int ChunkLength(int start, int most)
    {
        int length = Math.Min(prompt.Length - start, most);
        if (NeedsImages && conversation.Pictures is { } pictures) length = pictures.LengthOfOne(prompt.AsSpan(start, length));
        foreach (int place in StatePlaces)
            if (place >= start && place - start < length) return place - start + 1;
        return length;
    }

    /// <summary>True if the state of a place in the prompt is asked for.</summary>
    public bool WantsStateOf(int place) => StatePlaces.Contains(place);

    /// <summary>
    /// Told how many of the prompt's tokens are there, those of a chunk in work by the share of it that is done, on that thread: it must
    /// be quick.
    /// </summary>
    public Action<double>? OnPrefilled { get; init; }

    /// <summary>Told the slot in which the state lies that was asked for, as of what is enqueued now.</summary>
    public Action<int>? OnState { get; init; }

    /// <summary>Ends with true if the limit on new tokens ended the answer.</summary>
    public Task<bool> End => _end.Task;

    /// <summary>True when it is over.</summary>
    public bool IsDone => _end.Task.IsCompleted;

    /// <summary>Stops it.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Where runs leave its state and next token.</summary>
    public int Slot { get; set; } = -1;

    /// <summary>Prompt tokens that were computed, or were there.</summary>
    public int Prefilled { get; private set; } = conversation.Length;

    /// <summary>Tokens of the answer that runs which are enqueued choose.</summary>
    public int Promised { get; set; }

    /// <summary>Tokens of the answer that have arrived.</summary>
    public int Delivered { get; private set; }

    /// <summary>True when a state was asked for whose step is not enqueued yet.</summary>
    public bool WantsState { get; set; }

    /// <summary>True while another decode step may follow.</summary>
    public bool MayFollow => Promised > 0 && Promised < maxNewTokens;

    /// <summary>True if a prompt's unknown tokens speak of the picture.</summary>
    public bool NeedsImages { get; } = prompt.AsSpan(conversation.Length).ContainsAnyInRange(int.MinValue, -1);

    /// <summary>A chunk of the prompt has been computed.</summary>
    public void AddPrefilled(int count)
    {
        Prefilled += count;
        OnPrefilled?.Invoke(Prefilled);
    }

    /// <summary>A token has arrived.</summary>
    /// <returns>What follows; the end also when no further token may come.</returns>
    public AfterToken Accept(int token)
    {
        Delivered++;
        AfterToken after = onToken(token);
        if (after == AfterToken.End) _end.TrySetResult(false);
        else if (Delivered == maxNewTokens) _end.TrySetResult(true);
        return IsDone ? AfterToken.End : after;
    }

    /// <summary>Ends it with an error; what the conversation holds of it is forgotten.</summary>
    public void Fail(Exception e)
    {
        conversation.Forget();
        _end.TrySetException(e);
    }

    /// <summary>Ends it where the caller wanted it to; what was computed of the prompt stays.</summary>
    public void Cancel()
    {
        conversation.Truncate(Prefilled);
        _end.TrySetException(new OperationCanceledException(cancellation));
    }
}
