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
        g.WriteRows(_state, _x, _length);
        _y = g.Output("y", g.Map(_x, Activation.Relu));
        _graph = g.Build();
    }

    [Fact]
    public void Every_tensor_has_its_memory()
    {
        PlanBuffers b = Complete();
        Assert.Equal(["x", "s", "y"], Enumerable.Range(0, b.Count).Select(i => b[i].Buffer.Name));
        b.Add(_x, Buffer("long", DType.F32, 1000), 976);
        Assert.Equal(("long", 976), (b[0].Buffer.Name, b[0].Offset));
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        PlanBuffers b = new PlanBuffers(_graph).Add(_x, Buffer("x", DType.F32, 24)).Add(_state, Buffer("s", DType.BF16, 24));
        Says(() => _ = new PlanBuffers(_graph)[0], "net", "'x'");
        Says(() => _ = b[2], "'y'");
        Says(new Nothing(_graph).CheckScalars, "'length'", "not set");
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
        // Length rows are written from row length on.
        BoundPlan b = new Nothing(_graph).Set(_length, 3);
        b.CheckScalars();
        Says(b.Set(_length, 4).CheckScalars, "rows 4…7", "capacity of 6");

        var g = new GraphBuilder("parts", new TestWeights());
        RuntimeScalar part = g.Scalar("part", 4), all = g.Scalar("all", 10), none = g.Scalar("none", 4);
        Tensor x = g.Input("x", DType.F32, new Shape(4, 2), part), y = g.Input("y", DType.F32, new Shape(6, 2));
        g.Output("both", g.Concat([x, y], all));
        g.Output("last", g.LastRow(g.Input("z", DType.F32, new Shape(4, 2), none)));
        b = new Nothing(g.Build()).Set(part, 3).Set(all, 9).Set(none, 1);
        b.CheckScalars();
        Says(b.Set(all, 8).CheckScalars, "9 rows", "is 8");
        Says(b.Set(all, 9).Set(none, 0).CheckScalars, "no valid row");
    }

    [Fact]
    public void A_sum_follows_its_terms()
    {
        var g = new GraphBuilder("sums", new TestWeights());
        RuntimeScalar a = g.Scalar("a", 10), b = g.Scalar("b", 10);
        RuntimeScalar twice = g.Sum("twice", 20, 0, new ScalarTerm(a, 2)), all = g.Sum("all", 20, 3, twice, b);
        g.Output("y", g.Input("x", DType.F32, new Shape(20, 2), all));
        BoundPlan plan = new Nothing(g.Build()).Set(a, 4);
        Says(plan.CheckScalars, "'b'", "not set");
        plan.Set(b, 5).CheckScalars();
        Assert.Equal([4, 5, 8, 16], plan.Scalars.ToArray());
        plan.Set(a, 6).CheckScalars();
        Assert.Equal([6, 5, 12, 20], plan.Scalars.ToArray());
        Says(plan.Set(b, 6).CheckScalars, "all = 21", "0…20");
        Says(() => plan.Set(all, 5), "all", "follows");
        var other = new GraphBuilder("other", new TestWeights());
        Says(() => other.Sum("s", 20, 0, a), "'s'");
        Says(() => g.Sum("s", 20, -1, a), "'s'");
        Says(() => g.Sum("s", 20, 0), "'s'");
        Says(() => g.Sum("s", 20, 0, new ScalarTerm(a, 0)), "'s'");
    }

    private PlanBuffers Complete() =>
        new PlanBuffers(_graph).Add(_x, Buffer("x", DType.F32, 24)).Add(_state, Buffer("s", DType.BF16, 24))
        .Add(_y, Buffer("y", DType.F32, 24));

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
