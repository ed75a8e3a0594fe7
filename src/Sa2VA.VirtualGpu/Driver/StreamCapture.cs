namespace Sa2VA.VirtualGpu.Driver;

/// <summary>How strict a capture is about what other calls may do meanwhile (CUstreamCaptureMode).</summary>
internal enum CaptureMode
{
    Global = 0,
    ThreadLocal = 1,
    Relaxed = 2,
}

/// <summary>A capture from its begin to its end: the nodes so far and the streams that have joined it.</summary>
internal sealed class StreamCapture(DriverStream origin, CaptureMode mode, int thread)
{
    private readonly List<GraphNode> nodes = [];
    private readonly List<DriverStream> streams = [];

    public DriverStream Origin => origin;

    public CaptureMode Mode => mode;

    public int Thread => thread;

    public bool IsInvalid { get; private set; }

    public bool IsOver { get; private set; }

    public IReadOnlyList<GraphNode> Nodes => nodes;

    public void Join(DriverStream stream)
    {
        stream.Capture = this;
        streams.Add(stream);
    }

    public void Add(DriverStream stream, Operation work)
    {
        nodes.Add(new(work, [.. stream.Tail.Order()])
        {
            BeginsEarly = work is LaunchOperation { IsDependent: true } && stream.TailIsOwn && stream.Tail.Count == 1
                && nodes[stream.Tail.Single()].Work is LaunchOperation,
        });
        stream.Tail.Clear();
        stream.Tail.Add(nodes.Count - 1);
        stream.TailIsOwn = true;
    }

    /// <summary>Something happened that cannot be part of a graph: the capture can only be ended.</summary>
    public void Invalidate() => IsInvalid = true;

    /// <summary>Whether all that other streams did comes before where the origin is.</summary>
    public bool IsJoined()
    {
        var before = new bool[nodes.Count];
        foreach (int n in origin.Tail) before[n] = true;
        for (int n = nodes.Count - 1; n >= 0; n--)
            if (before[n])
                foreach (int b in nodes[n].Behind) before[b] = true;
        return streams.TrueForAll(s => s.Tail.All(n => before[n]));
    }

    /// <summary>All streams leave it.</summary>
    public void End()
    {
        IsOver = true;
        foreach (DriverStream s in streams)
        {
            s.Capture = null;
            s.Tail.Clear();
            s.TailIsOwn = false;
        }
    }
}
