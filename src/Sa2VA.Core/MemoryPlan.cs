namespace Sa2VA.Core;

/// <summary>Where every intermediate of a graph lies in one arena: two tensors share bytes only if their lifetimes do not touch.</summary>
public sealed class MemoryPlan
{
    private readonly Dictionary<Tensor, long> _offsets;

    private MemoryPlan(Dictionary<Tensor, long> offsets, long bytes, long liveBytes) =>
        (_offsets, ArenaBytes, PeakLiveBytes) = (offsets, bytes, liveBytes);

    /// <summary>Size of the arena.</summary>
    public long ArenaBytes { get; }

    /// <summary>Most bytes alive during any op: a lower bound of <see cref="ArenaBytes"/>.</summary>
    public long PeakLiveBytes { get; }

    /// <summary>Byte offset of a root tensor.</summary>
    public long OffsetOf(Tensor root) => _offsets[root];

    /// <summary>True if the root tensor lies in the arena.</summary>
    public bool Contains(Tensor root) => _offsets.ContainsKey(root);

    /// <summary>All placed tensors with their offsets.</summary>
    public IReadOnlyDictionary<Tensor, long> Offsets => _offsets;

    /// <summary>
    /// Places intermediates largest first, each at the lowest offset that is free during its whole life (Pisarchyk and Lee 2020,
    /// "greedy by size").
    /// </summary>
    /// <param name="graph">Graph to plan.</param>
    /// <param name="alignment">Bytes; a power of two.</param>
    public static MemoryPlan Create(Graph graph, int alignment = 64)
    {
        var external = new HashSet<Tensor>(graph.Outputs.Select(o => o.Root));
        var lives = new Dictionary<Tensor, Life>();
        for (int i = 0; i < graph.Ops.Count; i++)
        {
            Op op = graph.Ops[i];
            foreach (Tensor input in op.Inputs)
            {
                if (input.Kind != TensorKind.Intermediate || external.Contains(input.Root)) continue;
                if (!lives.TryGetValue(input.Root, out Life? life))
                    throw new GraphException($"{graph.Name}, {op.Name}: input {input} is read before it is written.");
                life.Last = i;
            }
            foreach (Tensor root in op.Outputs.Select(o => o.Root))
            {
                if (root.Kind != TensorKind.Intermediate || external.Contains(root)) continue;
                if (!lives.ContainsKey(root)) lives.Add(root, new Life(root, i, Align(root.Shape.Count * root.Type.Size(), alignment)));
            }
        }

        var order = lives.Values.OrderByDescending(l => l.Bytes).ThenBy(l => l.First).ToList();
        var placed = new List<Life>();
        long end = 0;
        foreach (Life life in order)
        {
            long offset = 0;
            foreach (Life other in placed.Where(o => o.First <= life.Last && life.First <= o.Last).OrderBy(o => o.Offset))
            {
                if (offset + life.Bytes <= other.Offset) break;
                offset = Math.Max(offset, other.Offset + other.Bytes);
            }
            life.Offset = offset;
            placed.Add(life);
            end = Math.Max(end, offset + life.Bytes);
        }

        long peak = 0;
        for (int i = 0; i < graph.Ops.Count; i++)
            peak = Math.Max(peak, placed.Where(l => l.First <= i && i <= l.Last).Sum(l => l.Bytes));
        return new MemoryPlan(placed.ToDictionary(l => l.Root, l => l.Offset), end, peak);
    }

    private static long Align(long bytes, int alignment) => (bytes + alignment - 1) & -alignment;

    private sealed class Life(Tensor root, int first, long bytes)
    {
        public Tensor Root { get; } = root;
        public int First { get; } = first;
        public int Last { get; set; } = first;
        public long Bytes { get; } = bytes;
        public long Offset { get; set; }
    }
}
