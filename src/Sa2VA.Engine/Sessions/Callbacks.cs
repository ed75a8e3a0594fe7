using System.Threading.Channels;

namespace Sa2VA.Engine;

/// <summary>
/// Calls of the caller's code, in order, on a thread of its own choosing: neither the scheduler nor a queue waits for them. One that fails
/// fails the question.
/// </summary>
internal sealed class Callbacks
{
    /// <summary>How long a call that closes its session may take before it counts as one that waits for the question.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Whose call the code that runs is part of.</summary>
    private static readonly AsyncLocal<Callbacks?> Caller = new();

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Channel<Action> _calls = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _failed;
    private readonly object _session;
    private readonly Task _pump;
    private volatile bool _isCalling, _isClosing;

    /// <param name="session">Whose question it is.</param>
    /// <param name="cancellation">The question's.</param>
    public Callbacks(object session, CancellationToken cancellation)
    {
        _session = session;
        _failed = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _pump = Pump();
    }

    /// <summary>Cancelled with the question, or when a call failed.</summary>
    public CancellationToken Cancellation => _failed.Token;

    /// <summary>
    /// The session is about to be closed. If one of its own calls does that, it may wait until the session's memory is free, and so for
    /// the question, which would wait for the call: then the question goes on without it.
    /// </summary>
    public static void Closing(object session)
    {
        if (Caller.Value is not { _isCalling: true } caller || caller._session != session) return;
        caller._isClosing = true;
        caller._closed.TrySetResult();
    }

    /// <summary>Makes a call behind those before it.</summary>
    public void Post(Action call) => _calls.Writer.TryWrite(call);

    /// <summary>Waits for all calls that were posted, but not behind one that waits for the question.</summary>
    /// <exception cref="Exception">What a call threw.</exception>
    public async Task FlushAsync()
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_calls.Writer.TryWrite(reached.SetResult)) return;
        await AwaitAsync(Task.WhenAny(reached.Task, _pump)).ConfigureAwait(false);
        if (!reached.Task.IsCompleted && !_isClosing) await _pump.ConfigureAwait(false);
    }

    /// <summary>Takes no further calls, and waits for those that were posted, but not for one that waits for the question.</summary>
    public Task CompleteAsync()
    {
        _calls.Writer.TryComplete();
        return AwaitAsync(_pump);
    }

    /// <summary>Takes no further calls, and waits for those that were posted; once cancelled, for the one that is being made.</summary>
    /// <exception cref="Exception">What a call threw.</exception>
    public async Task EndAsync()
    {
        _calls.Writer.TryComplete();
        try
        {
            await _pump.ConfigureAwait(false);
        }
        finally
        {
            _failed.Dispose();
        }
    }

    private async Task AwaitAsync(Task done)
    {
        await Task.WhenAny(done, _closed.Task).ConfigureAwait(false);
        while (!done.IsCompleted)
        {
            await Task.WhenAny(done, Task.Delay(Patience)).ConfigureAwait(false);
            if (_isClosing) return;
        }
    }

    private async Task Pump()
    {
        Caller.Value = this;
        try
        {
            await foreach (Action call in _calls.Reader.ReadAllAsync().ConfigureAwait(false))
            {
                // A caller that is slow to listen must not be slow to stop.
                if (_failed.IsCancellationRequested) return;
                _isCalling = true;
                call();
                _isCalling = _isClosing = false;
            }
        }
        catch
        {
            // Before the end: who finds no one to call must find the question cancelled.
            _failed.Cancel();
            _calls.Writer.TryComplete();
            throw;
        }
    }
}
