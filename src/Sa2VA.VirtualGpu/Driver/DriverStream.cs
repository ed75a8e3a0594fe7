using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>A stream: entries that run one after the other.</summary>
/// <param name="context">Whose.</param>
/// <param name="number">No other stream of the driver has it.</param>
internal sealed class DriverStream(DriverContext context, int number) : ContextObject(context)
{
    private readonly Queue<StreamEntry> queue = new();

    /// <summary>Entries that were enqueued, and that have run, since the stream was made.</summary>
    public long Enqueued { get; private set; }

    public long Completed { get; private set; }

    /// <summary>The capture that takes what is enqueued; null if it runs.</summary>
    public StreamCapture? Capture { get; set; }

    /// <summary>What the next captured node comes behind.</summary>
    public HashSet<int> Tail { get; } = [];

    /// <summary>Whether that is nothing but the stream's own last node.</summary>
    public bool TailIsOwn { get; set; }

    public int Number => number;

    /// <summary>What the work that ran has waited for.</summary>
    public StreamClock Known { get; private set; }

    /// <summary>The stretch of work that comes now.</summary>
    public long Stretch { get; private set; } = 1;

    /// <summary>What comes now has waited for that too.</summary>
    public void Learn(StreamClock known) => Known = Known.With(known);

    /// <summary>Ends a stretch.</summary>
    /// <returns>What whoever waits for its end knows.</returns>
    public StreamClock EndStretch() => Known.With(number, Stretch++);

    /// <summary>What a launch that may begin early could run beside now, and the stretch in which the last of those ran.</summary>
    public (LaunchesBefore? Launches, long Stretch) Before { get; set; }

    public StreamEntry? Second => queue.Skip(1).FirstOrDefault();

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

    /// <summary>What the host knew when it enqueued this.</summary>
    public StreamClock Known { get; set; }

    public virtual void Drop() { }
}

/// <summary>A launch, a copy or a fill.</summary>
internal sealed class WorkEntry(Operation work) : StreamEntry
{
    public WorkTurn Turn { get; } = new(work);

    public override void Drop() => Turn.Dispose();
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
    public Marker Marker => marker;

    public override DriverStream? WaitsFor => marker.IsDone ? null : marker.Stream;
}

/// <summary>A launch of a graph.</summary>
internal sealed class GraphEntry(GraphRun run, DriverStream stream) : StreamEntry
{
    public GraphRun Run => run;

    public DriverStream Stream => stream;

    public bool IsDone { get; private set; }

    /// <summary>What the next launch of the graph knows.</summary>
    public StreamClock After { get; private set; }

    public override DriverStream? WaitsFor => run.Before is { IsDone: false } before ? before.Stream : null;

    public void Done()
    {
        After = stream.EndStretch();
        IsDone = true;
    }

    public override void Drop()
    {
        run.Dispose();
        Done();
    }
}
