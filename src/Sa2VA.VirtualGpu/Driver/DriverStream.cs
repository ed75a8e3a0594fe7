namespace Sa2VA.VirtualGpu.Driver;

/// <summary>A stream: entries that run one after the other.</summary>
internal sealed class DriverStream(DriverContext context) : ContextObject(context)
{
    private readonly Queue<StreamEntry> queue = new();

    /// <summary>Entries that were enqueued, and that have run, since the stream was made.</summary>
    public long Enqueued { get; private set; }

    public long Completed { get; private set; }

    /// <summary>The capture that takes what is enqueued; null if it runs.</summary>
    public StreamCapture? Capture { get; set; }

    /// <summary>What the next captured node comes behind.</summary>
    public HashSet<int> Tail { get; } = [];

    public StreamEntry? Head => queue.TryPeek(out StreamEntry? head) ? head : null;

    public long Add(StreamEntry entry)
    {
        queue.Enqueue(entry);
        return ++Enqueued;
    }

    public void HeadDone()
    {
        queue.Dequeue();
        Completed++;
    }

    /// <summary>Drops what has not run; whoever waits for it may go on.</summary>
    public void Drop()
    {
        foreach (StreamEntry entry in queue) entry.Drop();
        queue.Clear();
        Completed = Enqueued;
    }
}

/// <summary>What waits in a stream.</summary>
internal abstract class StreamEntry
{
    /// <summary>The stream whose work this entry waits for; null if it may run.</summary>
    public virtual DriverStream? WaitsFor => null;

    public virtual void Drop() { }
}

/// <summary>A launch, a copy or a fill.</summary>
internal sealed class WorkEntry(Operation work) : StreamEntry
{
    public Operation Work => work;
}

/// <summary>A recording of an event.</summary>
internal sealed class RecordEntry(Marker marker) : StreamEntry
{
    public Marker Marker => marker;

    public override void Drop() => marker.Done();
}

/// <summary>A wait for a recording.</summary>
internal sealed class WaitEntry(Marker marker) : StreamEntry
{
    public override DriverStream? WaitsFor => marker.IsDone ? null : marker.Stream;
}

/// <summary>A launch of a graph.</summary>
internal sealed class GraphEntry(GraphRun run, DriverStream stream) : StreamEntry
{
    public GraphRun Run => run;

    public DriverStream Stream => stream;

    public bool IsDone { get; private set; }

    public override DriverStream? WaitsFor => run.Before is { IsDone: false } before ? before.Stream : null;

    public void Done() => IsDone = true;

    public override void Drop() => Done();
}
