using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>
/// What a queue launched last, so that a fault of the context, of which the driver gives a number and nothing else, can be told with what
/// may have been under way. Written under the queue's lock; whoever reports a fault, in whichever queue, reads it without.
/// </summary>
/// <param name="queue">The queue's name.</param>
/// <param name="marks">What the queue is known to have passed.</param>
internal sealed class LaunchTrail(string queue, StreamMarks marks)
{
    /// <summary>More are seldom ahead of the host.</summary>
    private const int Kept = 64;

    private readonly (long Position, string? Graph)[] _launched = new (long, string?)[Kept];
    private string? _graph;
    private long _count;

    /// <summary>Of what is launched now: the graph, or the queue's name for a copy or a wait.</summary>
    public string Graph => _graph ?? queue;

    /// <summary>Of what is launched now: the op, where ops are launched one by one.</summary>
    public Op? Op { get; set; }

    /// <summary>The position that the queue has passed when that has run.</summary>
    public long Position { get; private set; }

    /// <summary>Something is about to be launched.</summary>
    /// <param name="position">The queue's, behind it.</param>
    /// <param name="graph">The graph that is run; null for a copy or a wait.</param>
    public void Begin(long position, string? graph)
    {
        (Position, _graph, Op) = (position, graph, null);
        _launched[_count % Kept] = (position, graph);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>What is launched now, in words.</summary>
    public string Describe() => Op is null ? $"{Words(Position, _graph)} in queue '{queue}'"
        : $"op '{Op.Name}' of {Words(Position, _graph)} in queue '{queue}'";

    /// <summary>What was launched and is not known to have ended, in words; null if there is nothing.</summary>
    public string? DescribeAhead()
    {
        long reached = Volatile.Read(ref marks.Reached), count = Volatile.Read(ref _count), first = count;
        while (first > Math.Max(0, count - Kept) && _launched[(first - 1) % Kept].Position > reached) first--;
        if (first == count) return null;
        string text = Words(_launched[(count - 1) % Kept]);
        if (first < count - 1)
        {
            string more = first > 0 && first == count - Kept ? "at least " : "";
            text = FormattableString.Invariant($"{more}{count - first} launches, from {Words(_launched[first % Kept])} to {text}");
        }
        return $"{text} in queue '{queue}'" + (Op is { } op ? $", launched as far as op '{op.Name}'" : "");
    }

    private static string Words((long Position, string? Graph) launch) => Words(launch.Position, launch.Graph);

    private static string Words(long position, string? graph) =>
        FormattableString.Invariant($"{(graph is null ? "a copy or a wait" : $"graph '{graph}'")} (work {position})");
}
