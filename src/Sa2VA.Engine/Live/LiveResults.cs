using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>The latest result, and those that wait for their reader. Where masks are reused, so is a result that nobody holds.</summary>
internal sealed class LiveResults(LiveOptions options, bool reuse)
{
    private readonly object _gate = new();
    private readonly Stack<LiveResult> _spare = [];
    private Channel<LiveResult>? _reader;
    private LiveResult? _latest;
    private Exception? _error;
    private bool _isEnded;
    private long _unread;

    /// <summary>Results that made room for others.</summary>
    public long Unread
    {
        get
        {
            lock (_gate) return _unread;
        }
    }

    /// <summary>A result for the next frame.</summary>
    public LiveResult Rent()
    {
        lock (_gate) return _spare.TryPop(out LiveResult? spare) ? spare : new LiveResult();
    }

    /// <summary>Takes back a result that came to nothing.</summary>
    public void Return(LiveResult result)
    {
        lock (_gate)
            if (reuse) _spare.Push(result);
    }

    /// <summary>Makes a result the latest and gives it to the reader; where none is to be lost, waits until he has room.</summary>
    public void Publish(LiveResult result)
    {
        lock (_gate)
        {
            if (_latest is not null) Release(_latest);
            _latest = result;
            result.Holders = 2;
            while (!_isEnded && _reader is { } reader)
            {
                if (reader.Writer.TryWrite(result)) return;
                if (options.Policy != QueuePolicy.Wait) break;
                Monitor.Wait(_gate);
            }
            Release(result);
        }
    }

    /// <summary>Looks at the latest result; its memory stays meanwhile.</summary>
    public bool ReadLatest(Action<LiveResult> read)
    {
        LiveResult result;
        lock (_gate)
        {
            if (_latest is null) return false;
            result = _latest;
            result.Holders++;
        }
        try
        {
            read(result);
        }
        finally
        {
            lock (_gate) Release(result);
        }
        return true;
    }

    /// <summary>Begins keeping results for a reader.</summary>
    public IAsyncEnumerable<LiveResult> Read(CancellationToken cancellation)
    {
        Channel<LiveResult> channel = Channel.CreateBounded<LiveResult>(new BoundedChannelOptions(options.Capacity)
        {
            FullMode = options.Policy == QueuePolicy.Wait ? BoundedChannelFullMode.Wait : BoundedChannelFullMode.DropOldest,
        }, Drop);
        lock (_gate)
        {
            if (_reader is not null) throw new SessionBusyException("The results of this live stream have a reader already.");
            if (_isEnded) channel.Writer.TryComplete(_error);
            _reader = channel;
        }
        return ReadAsync(channel, cancellation);
    }

    /// <summary>There will be no further result.</summary>
    /// <param name="error">What the reader is told behind those that wait, or null.</param>
    public void End(Exception? error)
    {
        lock (_gate)
        {
            if (_isEnded) return;
            (_isEnded, _error) = (true, error);
            _reader?.Writer.TryComplete(error);
            Monitor.PulseAll(_gate);
        }
    }

    private async IAsyncEnumerable<LiveResult> ReadAsync(Channel<LiveResult> channel,
        [EnumeratorCancellation] CancellationToken cancellation)
    {
        // Of a token that can be cancelled each wait would allocate.
        using CancellationTokenRegistration registration = cancellation.UnsafeRegister(
            _ => Detach(channel, new OperationCanceledException(cancellation)), null);
        try
        {
            while (await channel.Reader.WaitToReadAsync(CancellationToken.None).ConfigureAwait(false))
            {
                while (channel.Reader.TryRead(out LiveResult? result))
                {
                    lock (_gate) Monitor.PulseAll(_gate);
                    try
                    {
                        cancellation.ThrowIfCancellationRequested();
                        yield return result;
                    }
                    finally
                    {
                        lock (_gate) Release(result);
                    }
                }
            }
        }
        finally
        {
            Detach(channel, null);
            lock (_gate)
                while (channel.Reader.TryRead(out LiveResult? left)) Release(left);
        }
    }

    /// <summary>Nobody waits for this reader any more.</summary>
    private void Detach(Channel<LiveResult> channel, Exception? error)
    {
        lock (_gate)
        {
            channel.Writer.TryComplete(error);
            if (_reader == channel) _reader = null;
            Monitor.PulseAll(_gate);
        }
    }

    // Within TryWrite, under the lock.
    private void Drop(LiveResult result)
    {
        _unread++;
        Release(result);
    }

    private void Release(LiveResult result)
    {
        if (--result.Holders > 0 || !reuse) return;
        result.Clear();
        _spare.Push(result);
    }
}
