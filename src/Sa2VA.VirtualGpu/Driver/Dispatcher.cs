using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>
/// Runs what streams hold, one piece of work at a time, on a thread of its own. Which of the streams goes on is drawn from the seed.
/// </summary>
/// <remarks>All but the work itself happens under the driver's gate.</remarks>
internal sealed class Dispatcher(object gate, bool lazy, int seed) : IDisposable
{
    /// <summary>Blocks of a launch that begin before the launch before it has ended, at most.</summary>
    private const int MostEarly = 4;

    private readonly Random random = new(seed);
    private readonly List<DriverStream> streams = [];
    private readonly List<Demand> demands = [];
    private Thread? thread;
    private bool running, ended;
    private int pauses;
    private long steps;

    /// <summary>What the host has waited for, or seen to have ended.</summary>
    private StreamClock host;

    /// <summary>Somebody waits for a stream to come to a place.</summary>
    private sealed record Demand(DriverStream Stream, long Position);

    public void Enqueue(DriverStream stream, StreamEntry entry)
    {
        entry.Known = host;
        stream.Add(entry);
        if (!streams.Contains(stream)) streams.Add(stream);
        if (thread is null)
        {
            thread = new(Work) { IsBackground = true, Name = "virtual GPU" };
            thread.Start();
        }
        Monitor.PulseAll(gate);
    }

    /// <summary>What is enqueued from now on comes behind that.</summary>
    public void HostKnows(StreamClock known) => host = host.With(known);

    /// <summary>Waits until a stream has come to a place, or its context has an error or ends.</summary>
    public void WaitFor(DriverStream stream, long position)
    {
        if (stream.Completed >= position) return;
        var demand = new Demand(stream, position);
        demands.Add(demand);
        Monitor.PulseAll(gate);
        // Work that still runs when all ends may use memory of whoever waits.
        while (stream.Completed < position && (!ended || running)) Monitor.Wait(gate);
        demands.Remove(demand);
    }

    /// <summary>Somebody asks how far a stream is: work that would never run by itself goes on by one piece.</summary>
    public void Nudge(DriverStream stream)
    {
        if (!lazy || stream.Head is null) return;
        var demand = new Demand(stream, stream.Completed + 1);
        demands.Add(demand);
        Monitor.PulseAll(gate);
        long before = steps;
        while (steps == before && stream.Completed < demand.Position && !ended) Monitor.Wait(gate);
        demands.Remove(demand);
    }

    /// <summary>Does something in a context while no work runs.</summary>
    /// <exception cref="DriverException">The context has got an error, or ended, meanwhile.</exception>
    public void Between(DriverContext context, Action action) => Between(() =>
    {
        context.Check();
        action();
    });

    /// <summary>Does something while no work runs.</summary>
    public void Between(Action action)
    {
        pauses++;
        try
        {
            while (running) Monitor.Wait(gate);
            action();
        }
        finally
        {
            pauses--;
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>Drops the work of a context.</summary>
    public void Drop(DriverContext context)
    {
        foreach (DriverStream s in streams)
            if (s.Context == context) s.Drop();
        streams.RemoveAll(s => s.Context == context);
        Monitor.PulseAll(gate);
    }

    private void Work()
    {
        lock (gate)
        {
            while (!ended)
            {
                if (pauses > 0 || Next() is not { } stream) Monitor.Wait(gate);
                else Step(stream);
            }
            Monitor.PulseAll(gate);
        }
    }

    /// <summary>A stream whose first entry may run; null if there is none, or none that somebody waits for.</summary>
    private DriverStream? Next()
    {
        streams.RemoveAll(s => s.Head is null);
        if (!lazy)
        {
            int count = streams.Count(s => s.Head!.WaitsFor is null);
            return count == 0 ? null : streams.Where(s => s.Head!.WaitsFor is null).ElementAt(random.Next(count));
        }
        Demand[] open = [.. demands.Where(d => d.Stream.Completed < d.Position)];
        if (open.Length == 0) return null;
        DriverStream stream = open[random.Next(open.Length)].Stream;
        while (stream.Head!.WaitsFor is { } other) stream = other;
        return stream;
    }

    private void Step(DriverStream stream)
    {
        stream.Learn(stream.Head!.Known);
        if (stream.Head is not WorkEntry) stream.Before = default;
        switch (stream.Head)
        {
            case WaitEntry wait:
                stream.Learn(wait.Marker.Known);
                stream.HeadDone();
                break;
            case RecordEntry record:
                record.Marker.Done();
                stream.HeadDone();
                break;
            case WorkEntry work:
                Run(stream, work);
                break;
            case GraphEntry { Run: { IsDone: false } run }:
                if (run.Before is { } before) stream.Learn(before.After);
                int node = run.Take(random);
                if (Run(stream, run.Turn(node), run.Follower(node))) run.Done(node);
                break;
            case GraphEntry graph:
                graph.Done();
                stream.HeadDone();
                break;
            default:
                stream.HeadDone();
                break;
        }
        steps++;
        Monitor.PulseAll(gate);
    }

    private void Run(DriverStream stream, WorkEntry entry)
    {
        // The host has seen the end of what it waited for, so what it enqueues then comes behind that in any case.
        (LaunchesBefore? launches, long stretch) = stream.Before;
        entry.Turn.Before = entry.Known[stream.Number] >= stretch ? null : launches;
        long now = stream.Stretch;
        WorkTurn? follower = stream.Second is WorkEntry { Turn: { MayBeginEarly: true } next } ? next : null;
        bool done = Run(stream, entry.Turn, follower);
        stream.Before = (entry.Turn.After, now);
        entry.Turn.Dispose();
        if (done) stream.HeadDone();
    }

    /// <summary>Runs work outside the gate.</summary>
    /// <param name="stream">Its stream.</param>
    /// <param name="turn">The work.</param>
    /// <param name="follower">A launch that may begin before this one has ended, or null.</param>
    /// <returns>False if its context has an error now, and nothing enqueued any more.</returns>
    private bool Run(DriverStream stream, WorkTurn turn, WorkTurn? follower)
    {
        DriverContext context = stream.Context;
        bool races = context.Memory.Races is not null;
        if (races) turn.Touched ??= new();
        // On a card they begin beside this launch, or behind it.
        int early = follower is not null && turn.Work is LaunchOperation ? random.Next(MostEarly + 1) : 0;
        StreamPlace place = !races ? default : new(stream.Number, stream.Stretch, stream.Known, Oldest());
        DriverException? fault = null;
        running = true;
        Monitor.Exit(gate);
        try
        {
            if (early > 0) ((LaunchOperation)follower!.Work).Begin(follower, early);
            turn.Work.Run(turn);
            if (races && context.Memory.Races!.Add(turn.Touched!, place, turn.Work.Name, context.Memory) is { } race)
                throw new DriverException(DriverResult.LaunchFailed, race, tellsCaller: true);
        }
        catch (DriverException e)
        {
            fault = e;
        }
        catch (OperationCanceledException)
        {
            fault = new(DriverResult.Deinitialized, "the driver was disposed");
        }
        catch (Exception e)
        {
            fault = new(DriverResult.Unknown, $"the virtual GPU failed: {e}", tellsCaller: true);
        }
        Monitor.Enter(gate);
        running = false;
        if (fault is not null)
        {
            context.Fault ??= fault;
            Drop(context);
        }
        return context.Fault is null;
    }

    /// <summary>What all work that waits, and all that is enqueued from now on, has waited for when it runs.</summary>
    private StreamClock Oldest()
    {
        StreamClock oldest = host;
        foreach (DriverStream s in streams)
            if (s.Head is { } head) oldest = oldest.Common(s.Known.With(head.Known), s.Number);
        return oldest;
    }

    /// <summary>Ends the thread; called outside the gate, once work that runs has been told to end.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            ended = true;
            Monitor.PulseAll(gate);
        }
        thread?.Join();
        foreach (DriverStream s in streams) s.Drop();
    }
}
