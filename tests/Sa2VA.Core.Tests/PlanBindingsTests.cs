using Sa2VA.Core;

namespace Sa2VA.Tests;

public class PlanBindingsTests
{
    private readonly RuntimeScalar _length;
    private readonly Tensor _x, _state, _y;
    private readonly Graph _graph;

    public PlanBindingsTests()
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
    public void Complete_bindings_pass()
    {
        PlanBindings b = Complete();
        b.CheckComplete();
        Assert.Equal([3], b.Scalars.ToArray());
        Assert.Equal("x", b.Buffer(0).Name);
        Assert.Equal("y", b.Buffer(2).Name);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        Says(() => new PlanBindings(_graph).CheckComplete(), "net", "'x'");
        PlanBindings b = new PlanBindings(_graph).Bind(_x, Buffer("x", DType.F32, 24)).Bind(_state, Buffer("s", DType.BF16, 24));
        Says(b.CheckComplete, "'y'");
        Says(b.Bind(_y, Buffer("y", DType.F32, 24)).CheckComplete, "'length'", "not set");
    }

    [Fact]
    public void Buffers_must_fit()
    {
        PlanBindings b = Complete();
        Says(() => b.Bind(_x, Buffer("short", DType.F32, 23)), "'short'", "'x'");
        Says(() => b.Bind(_x, Buffer("narrow", DType.BF16, 24)), "'narrow'", "BF16");
        b.Bind(_x, Buffer("long", DType.F32, 1000));
        Assert.Equal("long", b.Buffer(0).Name);
    }

    [Fact]
    public void Foreign_tensors_are_refused()
    {
        var g = new GraphBuilder("other", new TestWeights());
        Tensor foreign = g.Input("x", DType.F32, new Shape(6, 4));
        Says(() => Complete().Bind(foreign, Buffer("b", DType.F32, 24)), "net", "'x'");
    }

    [Fact]
    public void Scalars_have_a_bound_and_a_graph()
    {
        PlanBindings b = Complete();
        b.Set(_length, 0).Set(_length, 6);
        Says(() => b.Set(_length, 7), "length = 7", "0…6");
        Says(() => b.Set(_length, -1), "length = -1");
        var g = new GraphBuilder("other", new TestWeights());
        Says(() => b.Set(g.Scalar("count", 9), 1), "net", "count");
        g.Scalar("second", 9);
        Says(() => b.Set(g.Scalar("third", 9), 1), "third");
        Assert.Equal([6], b.Scalars.ToArray());
    }

    private PlanBindings Complete() =>
        new PlanBindings(_graph).Bind(_x, Buffer("x", DType.F32, 24)).Bind(_state, Buffer("s", DType.BF16, 24))
        .Bind(_y, Buffer("y", DType.F32, 24)).Set(_length, 3);

    private static void Says(Action action, params string[] words)
    {
        string message = Assert.Throws<GraphException>(action).Message;
        Assert.All(words, w => Assert.Contains(w, message, StringComparison.Ordinal));
    }

    private static DeviceBuffer Buffer(string name, DType type, int count) => new Nowhere(name, type, new Shape(count));

    private sealed class Nowhere(string name, DType type, Shape shape) : DeviceBuffer(name, type, shape)
    {
        public override void Write<T>(ReadOnlySpan<T> source, long offset = 0) => throw new NotSupportedException();

        public override void Read<T>(Span<T> destination, long offset = 0) => throw new NotSupportedException();

        public override void Dispose()
        {
        }
    }
}
