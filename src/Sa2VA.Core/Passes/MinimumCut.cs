namespace Sa2VA.Core;

/// <summary>
/// Divides nodes into two sides at least cost (Ford and Fulkerson 1956): whoever is on the first side while another is not costs what
/// <see cref="Add"/> said.
/// </summary>
/// <param name="nodes">How many; node 0 is on the first side, node 1 on the second.</param>
internal sealed class MinimumCut(int nodes)
{
    public const int First = 0, Second = 1;

    /// <summary>A cost that no cut pays.</summary>
    public const long Never = long.MaxValue / 4;

    private readonly List<(int To, int Back, long Left)>[] _edges =
        [.. Enumerable.Range(0, nodes).Select(_ => new List<(int, int, long)>())];

    /// <summary>What it costs if <paramref name="from"/> is on the first side and <paramref name="to"/> on the second.</summary>
    public void Add(int from, int to, long cost)
    {
        _edges[from].Add((to, _edges[to].Count, cost));
        _edges[to].Add((from, _edges[from].Count - 1, 0));
    }

    /// <summary>Whether each node is on the first side; of equal cuts the one with the fewest there.</summary>
    public bool[] Sides()
    {
        while (true)
        {
            // Breadth first: the shortest path that has something left.
            var via = new (int Node, int Edge)[_edges.Length];
            var seen = new bool[_edges.Length];
            seen[First] = true;
            var queue = new Queue<int>([First]);
            while (queue.TryDequeue(out int node))
                for (int i = 0; i < _edges[node].Count; i++)
                {
                    (int to, _, long left) = _edges[node][i];
                    if (left == 0 || seen[to]) continue;
                    (seen[to], via[to]) = (true, (node, i));
                    queue.Enqueue(to);
                }
            if (!seen[Second]) return seen;
            long flow = Never;
            for (int at = Second; at != First; at = via[at].Node) flow = Math.Min(flow, _edges[via[at].Node][via[at].Edge].Left);
            for (int at = Second; at != First; at = via[at].Node)
            {
                (int node, int edge) = via[at];
                (int to, int back, long left) = _edges[node][edge];
                _edges[node][edge] = (to, back, left - flow);
                (int there, int forth, long more) = _edges[to][back];
                _edges[to][back] = (there, forth, more + flow);
            }
        }
    }
}
