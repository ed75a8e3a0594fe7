using System.Threading.Channels;

namespace Sa2VA.Engine;

/// <summary>
/// Calls of the caller's code, in order, on a thread of its own choosing: neither the scheduler nor a queue waits for them. One that fails
/// fails the question.
/// </summary>
internal sealed class Callbacks
{
    private readonly Channel<Action> _calls = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _failed;
    private readonly Task _pump;

    /// <param name="cancellation">The question's.</param>
    public Callbacks(CancellationToken cancellation)
    {
        _failed = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _pump = Pump();
    }

    /// <summary>Cancelled with the question, or when a call failed.</summary>
    public CancellationToken Cancellation => _failed.Token;

    /// <summary>Makes a call behind those before it.</summary>
    public void Post(Action call) => _calls.Writer.TryWrite(call);

    /// <summary>Waits for all calls that were posted.</summary>
    /// <exception cref="Exception">What a call threw.</exception>
    public async Task FlushAsync()
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!_calls.Writer.TryWrite(reached.SetResult)) return;
        await Task.WhenAny(reached.Task, _pump).ConfigureAwait(false);
        if (!reached.Task.IsCompleted) await _pump.ConfigureAwait(false);
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

    private async Task Pump()
    {
        try
        {
            await foreach (Action call in _calls.Reader.ReadAllAsync().ConfigureAwait(false))
            {
                // A caller that is slow to listen must not be slow to stop.
                if (_failed.IsCancellationRequested) return;
                call();
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
