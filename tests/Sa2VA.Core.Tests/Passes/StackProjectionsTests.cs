using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>Which linear layers become one, and that nothing else of the graph changes.</summary>
public class StackProjectionsTests
{
    private readonly TestWeights _weights = new();
    private readonly GraphBuilder _g;
    private readonly Tensor _x;

    public StackProjectionsTests()
    {
        foreach (string name in (string[])["q", "k", "v", "other"])
        {
            _weights.Add(name, DType.BF16, new Shape(8, 6), new float[48]);
            _weights.Add($"{name}.bias", DType.F32, new Shape(8), new float[8]);
        }
        _weights.Add("fused", DType.BF16, new Shape(24, 6), new float[144]);
        _weights.Add("float", DType.F32, new Shape(8, 6), new float[48]);
        _g = new GraphBuilder("net", _weights);
        _x = _g.Input("x", DType.F32, new Shape(5, 6));
    }

    [Fact]
    public void Three_projections_of_one_input_become_one_layer()
    {
        Tensor q = Project("q"), k = Project("k"), v = Project("v");
        Tensor y = _g.Output("y", Attend(q, k, v));
        Graph graph = _g.Build(), stacked = GraphPasses.Apply(graph);

        Assert.Equal((4, 2), (graph.Ops.Count, stacked.Ops.Count));
        var linear = Assert.IsType<Linear>(stacked.Ops[0]);
        Assert.Equal((new Shape(5, 24), "q + k + v", new Shape(24, 6)), (linear.Output.Shape, linear.Weight.Name, linear.Weight.Shape));
        Assert.Equal("q.bias + k.bias + v.bias", linear.Bias!.Name);
        Assert.Equal(["q", "k", "v"], linear.Weight.Parts.Select(p => p.Name));
        Assert.All(stacked.Ops[1].Inputs, (t, i) =>
            Assert.Equal((linear.Output, 8L * i, 24, new Shape(5, 8)), (t.Root, t.Offset, t.RowStride, t.Shape)));
        Assert.Same(y.Root, stacked.Ops[1].Output);
        Assert.Same(graph.Inputs, stacked.Inputs);
        Assert.Same(graph.Outputs, stacked.Outputs);
        Assert.Equal((graph.Flops([]), graph.WeightBytes), (stacked.Flops([]), stacked.WeightBytes));
        Assert.IsType<Linear>(graph.Ops[2]);
    }

    [Fact]
    public void Rows_of_one_stored_weight_come_together_in_the_order_of_the_results()
    {
        Weight fused = _g.Weight("fused");
        Tensor[] parts = [.. ((int[])[0, 1, 2]).Select(first =>
            _g.Linear(_x, fused.Reorder([.. Enumerable.Range(0, 8).Select(i => 3 * i + first)])))];
        _g.Output("y", Attend(parts[0], parts[1], parts[2]));
        Graph graph = _g.Build(), stacked = GraphPasses.Apply(graph);
        Weight weight = Assert.IsType<Linear>(stacked.Ops[0]).Weight;
        Assert.Equal(("fused", 24), (weight.Name, weight.Shape[0]));
        Assert.Equal([.. Enumerable.Range(0, 24).Select(i => i % 8 * 3 + i / 8)], weight.RowOrder!);
        Assert.Equal(graph.WeightBytes, stacked.WeightBytes);
    }

    [Fact]
    public void Views_of_a_result_move_with_it()
    {
        Tensor q = Project("q"), k = Project("k"), v = Project("v");
        _g.Output("y", Attend(_g.SliceChannels(q, 2, 4), _g.SliceChannels(_g.SliceRows(k, 1, 3), 4, 4), _g.SliceRows(v, 1, 3)));
        Graph stacked = GraphPasses.Apply(_g.Build());
        Assert.Equal([2L, 24 + 8 + 4, 24 + 16], stacked.Ops[^1].Inputs.Select(t => t.Offset));
    }

    [Fact]
    public void What_is_read_between_the_projections_is_written_before()
    {
        Tensor table = _g.Constant("table", new Shape(5, 2), new float[10]);
        Tensor q = _g.RotaryEmbedding(Project("q"), table, table, 2, RotaryPairing.Half);
        Tensor k = _g.RotaryEmbedding(Project("k"), table, table, 2, RotaryPairing.Half);
        _g.Output("y", Attend(q, k, Project("v")));
        Graph stacked = GraphPasses.Apply(_g.Build());
        Assert.Equal([nameof(Linear), nameof(RotaryEmbedding), nameof(RotaryEmbedding), nameof(FlashAttention)],
            stacked.Ops.Select(o => o.GetType().Name));
    }

    public static TheoryData<string> Kept =>
        ["output", "activation", "bias", "type", "residual", "input", "reader", "reshape", "state", "next attention"];

    [Theory]
    [MemberData(nameof(Kept))]
    public void What_cannot_be_columns_of_one_result_stays(string why)
    {
        Tensor x = why == "state" ? _g.State("s", DType.F32, new Shape(5, 6)) : _x;
        Tensor q = Project("q", x), k = Project("k", x), v;
        if (why == "next attention") _g.Output("first", Attend(q, k, k));
        v = why switch
        {
            "output" => _g.Output("v", Project("v")),
            "activation" => _g.Linear(_x, _g.Weight("v"), _g.Weight("v.bias"), Activation.Relu),
            "bias" => _g.Linear(_x, _g.Weight("v")),
            "type" => _g.Linear(_x, _g.Weight("float"), _g.Weight("v.bias")),
            "residual" => _g.Linear(_x, _g.Weight("v"), _g.Weight("v.bias"), residual: q),
            "input" => _g.Linear(_g.Copy(_x), _g.Weight("v"), _g.Weight("v.bias")),
            _ => Project("v", x),
        };
        if (why == "reader") _g.Output("z", _g.Softmax(v));
        if (why == "reshape") v = _g.Reshape(_g.RmsNorm(_g.Reshape(v, new Shape(5, 2, 4)), Gains(), 1e-6f), v.Shape);
        _g.Output("y", Attend(q, k, v));
        Graph graph = _g.Build();
        string[] names = [.. GraphPasses.Apply(graph).Ops.OfType<Linear>().Select(l => l.Weight.Name)];
        Assert.Contains(why == "type" ? "float" : "v", names);
        if (why == "state") Assert.Equal(["q", "k", "v"], names);
    }

    private WeightScope Gains()
    {
        _weights.Add("gain.weight", DType.F32, new Shape(4), new float[4]);
        return _g.At("gain");
    }

    private Tensor Project(string name, Tensor? x = null) => _g.Linear(x ?? _x, _g.Weight(name), _g.Weight($"{name}.bias"));

    private Tensor Attend(Tensor q, Tensor k, Tensor v) => _g.FlashAttention(q, k, v, 2, 2, 1);
}
