using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// The events of a stream that are still ahead, in order, each behind a position of the queue. Used under the queue's lock.
/// </summary>
internal sealed unsafe class StreamMarks(CudaBackend backend)
{
    /// <summary>Everything up to here has happened.</summary>
    public long Reached;

    private readonly Queue<Mark> _ahead = new(64);
    private readonly Stack<nint> _free = new(64);
    private readonly List<nint> _held = new(8);
    private int _holds;

    /// <summary>Position of the latest mark.</summary>
    public long Latest { get; private set; }

    /// <summary>Position of the first mark that is not reached.</summary>
    public long Oldest => _ahead.Peek().Position;

    /// <summary>What the driver said when it was last asked, if that was an error.</summary>
    public CudaResult Error { get; private set; }

    public void Add(long position, long staged, nint stream)
    {
        CudaContext context = backend.Context;
        if (!_free.TryPop(out nint handle))
        {
            // Blocking waits, no timing.
            const uint Flags = 1 | 2;
            context.Check(context.Driver.EventCreate(&handle, Flags), "creating an event");
        }
        context.Check(context.Driver.EventRecord(handle, stream), "recording an event");
        _ahead.Enqueue(new Mark(position, staged, handle));
        Latest = position;
    }

    /// <summary>Passes the first mark if it has been reached.</summary>
    public bool TryPass(out Mark mark, out CudaResult result)
    {
        result = CudaResult.NotReady;
        if (!_ahead.TryPeek(out mark)) return false;
        result = backend.Context.Driver.EventQuery(mark.Event);
        if (result != CudaResult.Success)
        {
            if (result != CudaResult.NotReady) Error = result;
            return false;
        }
        _ahead.Dequeue();
        // Somebody may be waiting for just this event.
        if (_holds > 0) _held.Add(mark.Event);
        else _free.Push(mark.Event);
        Volatile.Write(ref Reached, mark.Position);
        return true;
    }

    /// <summary>The event at or behind a position that is not reached.</summary>
    public nint EventFor(long position)
    {
        foreach (Mark mark in _ahead)
            if (mark.Position >= position) return mark.Event;
        throw new InvalidOperationException($"Nothing marks position {position}.");
    }

    /// <summary>No event that somebody may have asked for is recorded anew before <see cref="LetGo"/>.</summary>
    public void Hold() => _holds++;

    public void LetGo()
    {
        if (--_holds > 0) return;
        foreach (nint handle in _held) _free.Push(handle);
        _held.Clear();
    }

    /// <summary>Nothing ahead will be reached.</summary>
    public void GiveUp(long position)
    {
        _ahead.Clear();
        Latest = position;
        Volatile.Write(ref Reached, position);
    }

    public void Destroy()
    {
        foreach (Mark mark in _ahead) backend.Context.Driver.EventDestroy(mark.Event);
        foreach (nint handle in _free.Concat(_held)) backend.Context.Driver.EventDestroy(handle);
    }

    /// <summary>An event.</summary>
    /// <param name="Position">What is behind it.</param>
    /// <param name="Staged">What the stream had taken of its page-locked memory.</param>
    /// <param name="Event">The driver's.</param>
    public readonly record struct Mark(long Position, long Staged, nint Event);
}
