namespace Sa2VA.VirtualGpu.Driver;

/// <summary>One operation of a graph and the nodes that it comes behind.</summary>
internal sealed record GraphNode(Operation Work, int[] Behind)
{
    /// <summary>A launch that may begin before the launch behind which it comes has ended.</summary>
    public bool BeginsEarly { get; init; }
}

internal sealed class CapturedGraph(DriverContext context, IReadOnlyList<GraphNode> nodes) : ContextObject(context)
{
    public IReadOnlyList<GraphNode> Nodes => nodes;
}

/// <summary>A graph that can be launched: its nodes as they were when it was made.</summary>
internal sealed class GraphExecutable(DriverContext context, IReadOnlyList<GraphNode> nodes) : ContextObject(context)
{
    public IReadOnlyList<GraphNode> Nodes => nodes;

    /// <summary>The last launch: the next one begins when it has ended.</summary>
    public GraphEntry? Last { get; set; }
}

/// <summary>One launch of a graph while it runs.</summary>
internal sealed class GraphRun : IDisposable
{
    private readonly IReadOnlyList<GraphNode> nodes;
    private readonly WorkTurn[] turns;
    private readonly int[] missing;
    private readonly List<int>[] next;
    private readonly List<int> ready = [];
    private int left;

    public GraphRun(GraphExecutable graph)
    {
        nodes = graph.Nodes;
        Before = graph.Last;
        left = nodes.Count;
        turns = [.. nodes.Select(n => new WorkTurn(n.Work))];
        missing = [.. nodes.Select(n => n.Behind.Length)];
        next = [.. nodes.Select(_ => new List<int>())];
        for (int n = 0; n < nodes.Count; n++)
        {
            foreach (int b in nodes[n].Behind) next[b].Add(n);
            if (missing[n] == 0) ready.Add(n);
        }
    }

    /// <summary>The launch of the same graph before this one.</summary>
    public GraphEntry? Before { get; private set; }

    public bool IsDone => left == 0;

    /// <summary>Takes one of the nodes that may run now.</summary>
    public int Take(Random random)
    {
        Before = null;
        int k = random.Next(ready.Count), n = ready[k];
        ready.RemoveAt(k);
        return n;
    }

    /// <summary>The turn of a node that runs now.</summary>
    public WorkTurn Turn(int node)
    {
        if (nodes[node].BeginsEarly) turns[node].Before = turns[nodes[node].Behind[0]].After;
        return turns[node];
    }

    /// <summary>A launch that may begin before that node has ended, or null.</summary>
    public WorkTurn? Follower(int node)
    {
        int early = next[node].FindIndex(n => nodes[n].BeginsEarly);
        return early < 0 ? null : turns[next[node][early]];
    }

    public void Done(int node)
    {
        left--;
        foreach (int n in next[node])
            if (--missing[n] == 0) ready.Add(n);
        if (IsDone) Dispose();
    }

    public void Dispose()
    {
        foreach (WorkTurn turn in turns) turn.Dispose();
    }
}
