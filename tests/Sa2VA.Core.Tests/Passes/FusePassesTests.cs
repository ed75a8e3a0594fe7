using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>Which layers become one op with what reads them, and which stay.</summary>
public class FusePassesTests
{
    private readonly GraphBuilder _g;
    private readonly Tensor _x;

    public FusePassesTests()
    {
        var weights = new TestWeights();
        foreach (string name in (string[])["gate", "up"]) weights.Add(name, DType.BF16, new Shape(10, 6), new float[60]);
        weights.Add("narrow", DType.BF16, new Shape(5, 6), new float[30]);
        weights.Add("float", DType.F32, new Shape(10, 6), new float[60]);
        weights.Add("bias", DType.F32, new Shape(10), new float[10]);
        _g = new GraphBuilder("net", weights);
        _x = _g.Input("x", DType.F32, new Shape(7, 6), _g.Scalar("rows", 7));
    }

    [Fact]
    public void Gate_and_up_become_one_op_with_SwiGlu()
    {
        Tensor y = _g.Output("y", _g.SwiGlu(Layer("gate"), Layer("up")));
        Graph graph = _g.Build(), fused = GraphPasses.Apply(graph);
        var op = Assert.IsType<GatedLinear>(Assert.Single(fused.Ops));
        Assert.Equal(["gate", "up"], op.Weight.Parts.Select(p => p.Name));
        Assert.Same(y.Root, op.Output);
        Assert.Equal([_x], op.Inputs);
        Assert.Equal((graph.Flops([4]), graph.WeightBytes), (fused.Flops([4]), fused.WeightBytes));
        Assert.Equal(3, graph.Ops.Count);
    }

    [Fact]
    public void A_head_that_is_only_searched_stores_nothing()
    {
        Tensor y = _g.Output("y", _g.ArgMax(Layer("gate")));
        Graph graph = _g.Build(), fused = GraphPasses.Apply(graph);
        var op = Assert.IsType<LinearArgMax>(Assert.Single(fused.Ops));
        Assert.Equal("gate", op.Weight.Name);
        Assert.Same(y.Root, op.Output);
        Assert.Equal((graph.Flops([4]), graph.WeightBytes), (fused.Flops([4]), fused.WeightBytes));
    }

    public static TheoryData<string> Kept => ["output", "reader", "bias", "activation", "input", "type", "twice", "half"];

    [Theory]
    [MemberData(nameof(Kept))]
    public void What_others_see_or_add_to_stays(string why)
    {
        Tensor up = why switch
        {
            "bias" => _g.Linear(_x, _g.Weight("up"), _g.Weight("bias")),
            "activation" => _g.Linear(_x, _g.Weight("up"), activation: Activation.Relu),
            "input" => _g.Linear(_g.Copy(_x), _g.Weight("up")),
            "type" => Layer("float"),
            _ => Layer("up"),
        };
        Tensor gate = why == "twice" ? up : Layer("gate");
        if (why == "output") up = _g.Output("up", up);
        if (why == "reader") _g.Output("more", _g.Softmax(up));
        if (why == "half") (gate, up) = (Layer("narrow"), _g.SliceChannels(up, 0, 5));
        _g.Output("y", _g.SwiGlu(gate, up));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }

    [Theory]
    [InlineData("output")]
    [InlineData("reader")]
    [InlineData("bias")]
    [InlineData("part")]
    public void Logits_that_others_see_stay(string why)
    {
        Tensor logits = why == "bias" ? _g.Linear(_x, _g.Weight("up"), _g.Weight("bias")) : Layer("up");
        if (why == "output") logits = _g.Output("logits", logits);
        if (why == "reader") _g.Output("more", _g.Softmax(logits));
        _g.Output("y", _g.ArgMax(why == "part" ? _g.SliceChannels(logits, 2, 3) : logits));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }

    private Tensor Layer(string name) => _g.Linear(_x, _g.Weight(name));
}
