using FsCheck;
using FsCheck.Fluent;
using Sa2VA.Core;

namespace Sa2VA.Tests;

public class MemoryPlanTests
{
    [Fact]
    public void Tensors_that_live_together_never_share_bytes()
    {
        Arbitrary<int> seeds = Arb.From(Gen.Choose(0, int.MaxValue - 1));
        Prop.ForAll(seeds, seed => Check(RandomGraph(seed), 1 << (4 + seed % 4)))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(FullRun.Times(500, 50_000)).WithReplay(42, 4711));
    }

    [Fact]
    public void A_chain_needs_two_tensors_however_long_it_is()
    {
        var g = new GraphBuilder("chain", new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(100, 10));
        for (int i = 0; i < 20; i++) x = g.Map(x, Activation.Relu);
        g.Output("y", x);
        MemoryPlan plan = MemoryPlan.Create(g.Build());
        // The last one is the output, which lies in a bound buffer.
        Assert.Equal(19, plan.Offsets.Count);
        Assert.Equal(2 * 4032, plan.PeakLiveBytes);
        Assert.Equal(2 * 4032, plan.ArenaBytes);
    }

    [Fact]
    public void Inputs_constants_states_and_outputs_are_not_placed()
    {
        var g = new GraphBuilder("bound", new TestWeights());
        Tensor at = g.List("at", new Shape(1), new IndexRange(-1, 4));
        Tensor x = g.Input("x", DType.F32, new Shape(1, 8)), state = g.State("s", DType.F32, new Shape(4, 8));
        Tensor c = g.Constant("c", new Shape(1, 8), new float[8]);
        g.WriteRows(state, g.Add(x, c), at);
        Tensor y = g.Output("y", g.Map(x, Activation.Relu));
        MemoryPlan plan = MemoryPlan.Create(g.Build());
        Assert.Single(plan.Offsets);
        Assert.All((Tensor[])[x, state, c, y], t => Assert.False(plan.Contains(t.Root)));
        Assert.Equal(64, plan.ArenaBytes);
    }

    [Fact]
    public void A_tensor_of_another_graph_is_refused_by_name()
    {
        var other = new GraphBuilder("other", new TestWeights());
        Tensor foreign = other.Map(other.Input("x", DType.F32, new Shape(2, 2)), Activation.Relu);
        var g = new GraphBuilder("mixed", new TestWeights());
        g.Output("y", g.Map(foreign, Activation.Silu));
        string message = Assert.Throws<GraphException>(() => MemoryPlan.Create(g.Build())).Message;
        Assert.Contains("mixed", message, StringComparison.Ordinal);
        Assert.Contains(foreign.Name, message, StringComparison.Ordinal);
    }

    private static bool Check(Graph graph, int alignment)
    {
        MemoryPlan plan = MemoryPlan.Create(graph, alignment);
        var outputs = graph.Outputs.Select(o => o.Root).ToHashSet();
        // Lives by definition: from the op that writes a tensor to the last one that reads it or a view of it.
        Dictionary<Tensor, (int First, int Last)> lives = [];
        for (int i = 0; i < graph.Ops.Count; i++)
        {
            Tensor written = graph.Ops[i].Output.Root;
            if (written.Kind == TensorKind.Intermediate && !outputs.Contains(written) && !lives.ContainsKey(written))
                lives[written] = (i, i);
            foreach (Tensor read in graph.Ops[i].Inputs)
                if (lives.TryGetValue(read.Root, out var life)) lives[read.Root] = (life.First, i);
        }
        Assert.Equal(lives.Keys.ToHashSet(), plan.Offsets.Keys.ToHashSet());

        foreach ((Tensor a, var life) in lives)
        {
            long start = plan.OffsetOf(a), end = start + Size(a);
            Assert.True(start >= 0 && start % alignment == 0, $"{a} lies at {start}.");
            Assert.True(end <= plan.ArenaBytes, $"{a} ends at {end} of {plan.ArenaBytes}.");
            foreach ((Tensor b, var other) in lives)
            {
                if (a == b || other.Last < life.First || life.Last < other.First) continue;
                Assert.True(plan.OffsetOf(b) >= end || plan.OffsetOf(b) + Size(b) <= start, $"{a} and {b} live together and share bytes.");
            }
        }
        long peak = 0;
        for (int i = 0; i < graph.Ops.Count; i++)
            peak = Math.Max(peak,
                lives.Where(l => l.Value.First <= i && i <= l.Value.Last).Sum(l => (Size(l.Key) + alignment - 1) / alignment * alignment));
        Assert.Equal(peak, plan.PeakLiveBytes);
        Assert.True(plan.ArenaBytes >= peak);
        Assert.True(plan.ArenaBytes <= lives.Keys.Sum(t => Size(t) + alignment));
        return true;
    }

    private static long Size(Tensor t) => t.Shape.Count * t.Type.Size();

    /// <summary>Up to 40 ops over earlier tensors, views among them, with several readers, dead ends and outputs.</summary>
    private static Graph RandomGraph(int seed)
    {
        var random = new Random(seed);
        var g = new GraphBuilder($"random {seed}", new TestWeights());
        int width = random.Next(1, 40);
        List<Tensor> tensors =
            [g.Input("x", DType.F32, new Shape(random.Next(1, 50), width)), g.Constant("c", new Shape(1, width), new float[width])];
        int count = random.Next(1, 40);
        for (int i = 0; i < count; i++)
        {
            Tensor a = tensors[random.Next(tensors.Count)], b = tensors[random.Next(tensors.Count)];
            tensors.Add(random.Next(6) switch
            {
                0 => g.Concat([a, b]),
                1 => g.Map(a, Activation.Silu),
                2 => g.Map(g.SliceRows(a, 0, random.Next(1, a.Shape[0] + 1)), Activation.Relu),
                3 => g.MatMul(a, a) is var square && square.Shape.Last == width ? square : g.Copy(g.Reshape(a, a.Shape)),
                4 => g.Add(a, g.SliceRows(a, a.Shape[0] - 1, 1)),
                _ => g.SliceRows(g.Softmax(b), 0, 1),
            });
            if (random.Next(8) == 0) g.Output($"y{i}", tensors[^1]);
        }
        g.Output("last", tensors[^1]);
        return g.Build();
    }
}
