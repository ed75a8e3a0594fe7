using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

public class MinimumCutTests
{
    /// <summary>Against all ways to divide a few nodes.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(9)]
    public void No_other_division_costs_less(int nodes)
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var edges = new List<(int From, int To, long Cost)>();
            var cut = new MinimumCut(nodes);
            for (int i = 0; i < 3 * nodes; i++)
            {
                (int from, int to, long cost) = (random.Next(nodes), random.Next(nodes), random.Next(10));
                if (from == to || (from, to) == (MinimumCut.First, MinimumCut.Second)) continue;
                edges.Add((from, to, cost));
                cut.Add(from, to, cost);
            }
            bool[] sides = cut.Sides();
            Assert.True(sides[MinimumCut.First]);
            Assert.False(sides[MinimumCut.Second]);
            (long Cost, int Size) least = (long.MaxValue, 0);
            for (int set = 0; set < 1 << nodes; set++)
            {
                if ((set & 1) == 0 || (set & 2) != 0) continue;
                long cost = edges.Sum(e => (set >> e.From & 1) == 1 && (set >> e.To & 1) == 0 ? e.Cost : 0);
                (long, int) found = (cost, BitOperations.PopCount((uint)set));
                if (found.CompareTo(least) < 0) least = found;
            }
            Assert.Equal(least, (edges.Sum(e => sides[e.From] && !sides[e.To] ? e.Cost : 0), sides.Count(s => s)));
        }
    }
}
