using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>Which pairs of layers become one, and with what weight.</summary>
public class FoldLinearsTests
{
    private readonly GraphBuilder _g;
    private readonly Tensor _x;

    public FoldLinearsTests()
    {
        var weights = new TestWeights();
        weights.Add("first", DType.BF16, new Shape(3, 2), [1, 2, 3, 4, 5, 6]);
        weights.Add("first.bias", DType.F32, new Shape(3), [10, 20, 30]);
        weights.Add("second", DType.F32, new Shape(2, 3, 1, 1), [1, 0, 2, -1, 1, 0.5f]);
        weights.Add("second.bias", DType.F32, new Shape(2), [0.25f, 0.5f]);
        weights.Add("scale", DType.F32, new Shape(2), [3, 4]);
        weights.Add("bottleneck", DType.F32, new Shape(1, 2), [1, 1]);
        weights.Add("wide", DType.F32, new Shape(4, 1), [1, 1, 1, 1]);
        weights.Add("damaged", DType.F32, new Shape(3, 2), [1, 1, 1, float.NaN, 1, 1]);
        _g = new GraphBuilder("net", weights);
        _x = _g.Input("x", DType.F32, new Shape(5, 2));
    }

    [Theory]
    [InlineData(true, true, new float[] { 70.25f, 25.5f })]
    [InlineData(true, false, new float[] { 70, 25 })]
    [InlineData(false, true, new float[] { 0.25f, 0.5f })]
    [InlineData(false, false, null)]
    public void Two_layers_become_one(bool firstBias, bool secondBias, float[]? bias)
    {
        Tensor first = _g.Linear(_x, _g.Weight("first"), firstBias ? _g.Weight("first.bias") : null);
        Tensor y = _g.Output("y", _g.Linear(first, _g.Weight("second"), secondBias ? _g.Weight("second.bias") : null, Activation.Gelu,
            _g.Weight("scale"), _x));
        var folded = Assert.IsType<Linear>(Assert.Single(GraphPasses.Apply(_g.Build()).Ops));
        Assert.Equal([_x, _x], folded.Inputs);
        Assert.Same(y.Root, folded.Output);
        Assert.Equal((Activation.Gelu, "scale", new Shape(2, 2)), (folded.Activation, folded.Scale!.Name, folded.Weight.Shape));
        Assert.Equal([11, 14, 4.5f, 5], folded.Weight.ReadValues());
        Assert.Equal(bias, folded.Bias?.ReadValues());
    }

    [Fact]
    public void Of_three_layers_the_third_stays()
    {
        Tensor folded = _g.Linear(_g.Linear(_x, _g.Weight("first")), _g.Weight("second"));
        _g.Output("y", _g.Linear(folded, _g.Weight("first")));
        Op[] ops = [.. GraphPasses.Apply(_g.Build()).Ops];
        Assert.Equal(["second × first", "first"], ops.Select(op => ((Linear)op).Weight.Name));
        Assert.Same(ops[0].Output, ops[1].Inputs[0]);
    }

    [Fact]
    public void Equal_pairs_of_one_source_are_one_weight()
    {
        Tensor a = Pair("first"), b = Pair("first"), other = Pair("damaged");
        _g.Output("y", _g.Concat([a, b, other]));
        Weight[] weights = [.. GraphPasses.Apply(_g.Build()).Ops.OfType<Linear>().Select(l => l.Weight)];
        Assert.Equal((weights[0].Source, weights[0].Name), (weights[1].Source, weights[1].Name));
        Assert.Equal(weights[0].Source.GetHashCode(), weights[1].Source.GetHashCode());
        Assert.NotEqual(weights[0].Source, weights[2].Source);
        Assert.Contains("'damaged'", Assert.Throws<CheckpointException>(weights[2].ReadValues).Message, StringComparison.Ordinal);

        Tensor Pair(string first) => _g.Linear(_g.Linear(_x, _g.Weight(first)), _g.Weight("second"));
    }

    [Theory]
    [InlineData("output")]
    [InlineData("reader")]
    [InlineData("activation")]
    [InlineData("residual")]
    [InlineData("more work")]
    [InlineData("picked rows")]
    public void What_is_seen_bent_or_cheaper_apart_stays(string why)
    {
        Tensor first = why switch
        {
            "activation" => _g.Linear(_x, _g.Weight("first"), activation: Activation.Relu),
            "residual" => _g.Linear(_x, _g.Weight("first"), residual: _g.Linear(_x, _g.Weight("first").Reorder([2, 1, 0]))),
            "more work" => _g.Linear(_x, _g.Weight("bottleneck")),
            "picked rows" => _g.Linear(_x, _g.Weight("first").Reorder([2, 1, 0])),
            _ => _g.Linear(_x, _g.Weight("first")),
        };
        if (why == "output") first = _g.Output("first", first);
        if (why == "reader") _g.Output("more", _g.Softmax(first));
        _g.Output("y", _g.Linear(first, _g.Weight(why == "more work" ? "wide" : "second")));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }
}
