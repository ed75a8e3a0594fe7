using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace Sa2VA.Cli.Results;

/// <summary>
/// Writes files beside the model: one piece of work after the other, in order. Whoever hands over more than fits into the queue waits, so
/// that slow disks do not fill the memory with pictures. After an error nothing more is written; it is thrown to whoever hands over or
/// waits next.
/// </summary>
internal sealed class BackgroundWriter : IDisposable
{
    /// <summary>Frames that may wait for their turn, besides the one in work.</summary>
    public const int Depth = 2;

    private readonly Channel<Action> _queue = Channel.CreateBounded<Action>(
        new BoundedChannelOptions(Depth) { SingleReader = true, SingleWriter = true });

    private readonly CancellationToken _cancellation;
    private readonly Task _worker;
    private volatile bool _stopped, _inWork;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Begins to wait for work.</summary>
    /// <param name="cancellation">Ends waiting, for room and for the end.</param>
    public BackgroundWriter(CancellationToken cancellation = default) =>
        (_cancellation, _worker) = (cancellation, Task.Run(WorkAsync, CancellationToken.None));

    /// <summary>True while something is in work.</summary>
    public bool InWork => _inWork;

    /// <summary>True once it is about to be disposed of.</summary>
    public bool IsStopped => _stopped;

    /// <summary>Hands over work; waits while the queue is full.</summary>
    /// <param name="work">What to do; called on another thread.</param>
    /// <exception cref="OperationCanceledException">It was cancelled while it waited.</exception>
    public void Post(Action work)
    {
        try
        {
            if (!_queue.Writer.TryWrite(work)) _queue.Writer.WriteAsync(work, _cancellation).AsTask().GetAwaiter().GetResult();
        }
        catch (ChannelClosedException)
        {
            Complete();
            throw;
        }
    }

    /// <summary>Waits until all is done; nothing can be handed over any more.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled while it waited.</exception>
    public void Complete()
    {
        _queue.Writer.TryComplete();
        _worker.WaitAsync(_cancellation).GetAwaiter().GetResult();
        Interlocked.Exchange(ref _failure, null)?.Throw();
    }

    /// <summary>The same, whatever may have failed.</summary>
    public void Settle()
    {
        _queue.Writer.TryComplete();
        _worker.GetAwaiter().GetResult();
    }

    /// <summary>Lets what waits not be done.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Waits for what is in work; what waits is not done.</summary>
    public void Dispose()
    {
        Stop();
        Settle();
    }

    private async Task WorkAsync()
    {
        try
        {
            await foreach (Action work in _queue.Reader.ReadAllAsync().ConfigureAwait(false))
            {
                if (_stopped) continue;
                _inWork = true;
                work();
                _inWork = false;
            }
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
            // Who waits for room is told at once.
            _queue.Writer.TryComplete(e);
        }
    }
}
