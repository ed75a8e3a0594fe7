using Sa2VA.Core;

namespace Sa2VA.Tests;

public class BoundPlanTests
{
    private readonly RuntimeScalar _length;
    private readonly Tensor _x, _state, _y;
    private readonly Graph _graph;

    public BoundPlanTests()
    {
        var g = new GraphBuilder("net", new TestWeights());
        _length = g.Scalar("length", 6);
        _x = g.Input("x", DType.F32, new Shape(6, 4), _length);
        _state = g.State("cache", DType.BF16, new Shape(6, 4));
        g.WriteRows(_state, _x, g.Input("rows", DType.I32, new Shape(6), _length));
        _y = g.Output("y", g.Map(_x, Activation.Relu));
        _graph = g.Build();
    }

    [Fact]
    public void Every_tensor_has_its_memory()
    {
        PlanBuffers b = Complete();
        Assert.Equal(["x", "s", "r", "y"], Enumerable.Range(0, b.Count).Select(i => b[i].Buffer.Name));
        b.Add(_x, Buffer("long", DType.F32, 1000), 976);
        Assert.Equal(("long", 976), (b[0].Buffer.Name, b[0].Offset));
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        PlanBuffers b = new PlanBuffers(_graph).Add(_x, Buffer("x", DType.F32, 24)).Add(_state, Buffer("s", DType.BF16, 24))
            .Add(_graph.Inputs[2], Buffer("r", DType.I32, 6));
        Says(() => _ = new PlanBuffers(_graph)[0], "net", "'x'");
        Says(() => _ = b[3], "'y'");
        Says(new Nothing(_graph).CheckRun, "'length'", "not set");
    }

    [Fact]
    public void Buffers_must_fit()
    {
        PlanBuffers b = Complete();
        Says(() => b.Add(_x, Buffer("short", DType.F32, 23)), "'short'", "'x'");
        Says(() => b.Add(_x, Buffer("long", DType.F32, 1000), 977), "'long'", "element 977");
        Says(() => b.Add(_x, Buffer("long", DType.F32, 1000), -1), "'long'", "element -1");
        Says(() => b.Add(_x, Buffer("narrow", DType.BF16, 24)), "'narrow'", "BF16");
        Assert.Equal("x", b[0].Buffer.Name);
    }

    [Fact]
    public void Foreign_tensors_are_refused()
    {
        var g = new GraphBuilder("other", new TestWeights());
        Tensor foreign = g.Input("x", DType.F32, new Shape(6, 4));
        Says(() => Complete().Add(foreign, Buffer("b", DType.F32, 24)), "net", "'x'");
    }

    [Fact]
    public void Scalars_have_a_bound_and_a_graph()
    {
        BoundPlan b = new Nothing(_graph).Set(_length, 0).Set(_length, 6);
        Says(() => b.Set(_length, 7), "length = 7", "0…6");
        Says(() => b.Set(_length, -1), "length = -1");
        var g = new GraphBuilder("other", new TestWeights());
        Says(() => b.Set(g.Scalar("count", 9), 1), "net", "count");
        g.Scalar("second", 9);
        Says(() => b.Set(g.Scalar("third", 9), 1), "third");
        Assert.Equal([6], b.Scalars.ToArray());
    }

    [Fact]
    public void Scalars_that_do_not_fit_each_other_are_refused()
    {
        var g = new GraphBuilder("parts", new TestWeights());
        RuntimeScalar part = g.Scalar("part", 4), all = g.Scalar("all", 10);
        Tensor x = g.Input("x", DType.F32, new Shape(4, 2), part), y = g.Input("y", DType.F32, new Shape(6, 2));
        g.Output("both", g.Concat([x, y], all));
        BoundPlan b = new Nothing(g.Build()).Set(part, 3).Set(all, 9);
        b.CheckRun();
        Says(b.Set(all, 8).CheckRun, "9 rows", "is 8");
    }

    [Fact]
    public void A_sum_follows_its_terms()
    {
        var g = new GraphBuilder("sums", new TestWeights());
        RuntimeScalar a = g.Scalar("a", 10), b = g.Scalar("b", 10);
        RuntimeScalar twice = g.Sum("twice", 20, 0, new ScalarTerm(a, 2)), all = g.Sum("all", 20, 3, twice, b);
        g.Output("y", g.Input("x", DType.F32, new Shape(20, 2), all));
        BoundPlan plan = new Nothing(g.Build()).Set(a, 4);
        Says(plan.CheckRun, "'b'", "not set");
        plan.Set(b, 5).CheckRun();
        Assert.Equal([4, 5, 8, 16], plan.Scalars.ToArray());
        plan.Set(a, 6).CheckRun();
        Assert.Equal([6, 5, 12, 20], plan.Scalars.ToArray());
        Says(plan.Set(b, 6).CheckRun, "all = 21", "0…20");
        Says(() => plan.Set(all, 5), "all", "follows");
        var other = new GraphBuilder("other", new TestWeights());
        Says(() => other.Sum("s", 20, 0, a), "'s'");
        Says(() => g.Sum("s", 20, -1, a), "'s'");
        Says(() => g.Sum("s", 20, 0), "'s'");
        Says(() => g.Sum("s", 20, 0, new ScalarTerm(a, 0)), "'s'");
    }

    [Fact]
    public void Lists_travel_behind_the_scalars_and_have_a_range()
    {
        var g = new GraphBuilder("listed", new TestWeights());
        RuntimeScalar count = g.Scalar("count", 4);
        Tensor rows = g.List("rows", new Shape(4), new IndexRange(-1, 6), count);
        Tensor pages = g.List("pages", new Shape(2, 3), new IndexRange(0, 9));
        Tensor state = g.State("state", DType.F32, new Shape(6, 2));
        g.WriteRows(state, g.Input("x", DType.F32, new Shape(4, 2), count), rows);
        g.Output("pages", g.Copy(pages));
        BoundPlan plan = new Nothing(g.Build()).Set(count, 3);
        Says(plan.CheckRun, "'rows'", "not set");
        plan.Set(rows, [5, -1, 2]);
        Says(plan.CheckRun, "'pages'", "not set");
        plan.SetRow(pages, 1, [8, 7]).CheckRun();
        Assert.Equal([3, 5, -1, 2, -1, 0, 0, 0, 8, 7, 0], plan.Numbers.ToArray());
        plan.Set(rows, [3]).SetRow(pages, 0, [1]).SetRow(pages, 1, [4]).CheckRun();
        Assert.Equal([3, 3, -1, -1, -1, 1, 0, 0, 4, 0, 0], plan.Numbers.ToArray());

        Says(() => plan.Set(rows, [0, 6]), "value 6", "place 1", "'rows'", "-1…5");
        Says(() => plan.Set(rows, [-2]), "value -2");
        Says(() => plan.Set(rows, [0, 1, 2, 3, 4]), "5 values");
        Says(() => plan.SetRow(pages, 2, []), "no row 2");
        Says(() => plan.SetRow(pages, 1, [9]), "value 9", "place 3");
        Says(() => plan.SetRow(pages, 1, [1, 2, 3, 4]), "4 values");
        Says(() => plan.Set(state, [1]), "no list");
        // A row that two threads would write.
        Says(plan.Set(rows, [2, 4, 2]).CheckRun, "row 2", "twice");
        plan.Set(rows, [-1, 2, -1, 2]).CheckRun();
        Says(plan.Set(count, 4).CheckRun, "row 2", "twice");
    }

    [Fact]
    public void Lists_are_checked_against_what_they_index()
    {
        var g = new GraphBuilder("net", new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(2, 8)), state = g.State("state", DType.F32, new Shape(6, 8));
        Tensor far = g.List("far", new Shape(2), new IndexRange(0, 7)), below = g.List("below", new Shape(2), new IndexRange(-2, 6));
        Says(() => g.WriteRows(state, x, far), "'far'");
        Says(() => g.WriteRows(state, x, below), "'below'");
        Says(() => g.Gather(state, far), "'far'");
        Tensor table = g.Constant("table", new Shape(6, 4), new float[24]);
        Says(() => g.RotaryEmbedding(x, table, table, far, 1, RotaryPairing.Half), "'far'");
        Says(() => g.List("none", new Shape(2), new IndexRange(3, 3)), "'none'");
        Tensor one = g.List("lengths", new Shape(2), new IndexRange(0, 7)), pages = g.List("pages", new Shape(2, 3), new IndexRange(0, 4));
        Says(() => g.DecodeAttention(x, state, state, 1, 1, 1, new AttentionSegments(one, Pages: pages, PageRows: 2)), "'pages'");
        Tensor many = g.List("many", new Shape(2), new IndexRange(0, 8));
        Says(() => g.DecodeAttention(x, state, state, 1, 1, 1, new AttentionSegments(many)), "'many'");

        Tensor offsets = g.List("offsets", new Shape(3), new IndexRange(0, 3));
        g.Output("y", g.FlashAttention(x, state, state, new AttentionSegments(one, offsets), 1, 1, 1));
        BoundPlan plan = new Nothing(g.Build()).Set(one, [4, 2]).Set(offsets, [0, 1, 2]);
        foreach (Tensor list in (Tensor[])[far, below, pages, many]) plan.Set(list, []);
        plan.CheckRun();
        Says(plan.Set(one, [4, 3]).CheckRun, "7 keys", "there are 6");
        plan.Set(one, [4, 2]);
        Says(plan.Set(offsets, [0, 2, 1]).CheckRun, "offset 1", "segment 2");
        Says(plan.Set(offsets, [1, 1, 2]).CheckRun, "offset 1", "segment 0");
        Says(plan.Set(offsets, [0, 0, 1]).CheckRun, "offset 1", "2 rows");
    }

    private PlanBuffers Complete() =>
        new PlanBuffers(_graph).Add(_x, Buffer("x", DType.F32, 24)).Add(_state, Buffer("s", DType.BF16, 24))
        .Add(_graph.Inputs[2], Buffer("r", DType.I32, 6)).Add(_y, Buffer("y", DType.F32, 24));

    private static void Says(Action action, params string[] words)
    {
        string message = Assert.Throws<GraphException>(action).Message;
        Assert.All(words, w => Assert.Contains(w, message, StringComparison.Ordinal));
    }

    private static DeviceBuffer Buffer(string name, DType type, int count) => new Nowhere(name, type, new Shape(count));

    private sealed class Nowhere(string name, DType type, Shape shape) : DeviceBuffer(name, type, shape)
    {
        public override void Dispose()
        {
        }
    }

    private sealed class Nothing(Graph graph) : BoundPlan(graph)
    {
        public override void Dispose()
        {
        }
    }
}
