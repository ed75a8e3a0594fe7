using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>When a norm takes the sum before it along.</summary>
public class FuseResidualNormTests
{
    private readonly GraphBuilder _g;
    private readonly Tensor _x, _residual;

    public FuseResidualNormTests()
    {
        var weights = new TestWeights();
        foreach (string name in (string[])["norm.weight", "norm.bias"]) weights.Add(name, DType.F32, new Shape(8), new float[8]);
        _g = new GraphBuilder("net", weights);
        (_x, _residual) = (_g.Input("x", DType.F32, new Shape(6, 8)), _g.Input("residual", DType.F32, new Shape(3, 8)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_sum_stands_beside_the_norm(bool isRms)
    {
        Tensor sum = _g.Add(_x, _residual), between = _g.Softmax(sum), norm = Norm(sum, isRms);
        _g.Output("y", _g.Add(_g.Multiply(norm, sum), between));
        Graph graph = _g.Build(), fused = GraphPasses.Apply(graph);
        Assert.Equal(graph.Ops.Count - 1, fused.Ops.Count);
        Op op = fused.Ops[0];
        Assert.Equal(isRms ? typeof(RmsNorm) : typeof(LayerNorm), op.GetType());
        Assert.Equal([_x, _residual], op.Inputs);
        Assert.Equal([norm, sum], op.Outputs);
        Assert.Same(graph.Ops[2].Name, op.Name);
        Assert.Equal(isRms ? 1 : 2, op.Weights.Count());
        // Each has a place of its own while both are read.
        MemoryPlan memory = MemoryPlan.Create(fused);
        Assert.NotEqual(memory.OffsetOf(sum), memory.OffsetOf(norm));
        Assert.True(memory.PeakLiveBytes >= 3 * sum.Shape.Count * sizeof(float));
    }

    [Fact]
    public void Of_two_norms_the_first_takes_it()
    {
        Tensor sum = _g.Add(_x, _residual);
        _g.Output("y", _g.Multiply(Norm(sum, true), Norm(sum, false)));
        Assert.Equal([nameof(RmsNorm), nameof(LayerNorm), nameof(Combine)],
            GraphPasses.Apply(_g.Build()).Ops.Select(o => o.GetType().Name));
    }

    [Theory]
    [InlineData("product")]
    [InlineData("output")]
    [InlineData("part")]
    [InlineData("activation")]
    public void What_is_no_whole_inner_sum_stays(string why)
    {
        Tensor sum = why == "product" ? _g.Multiply(_x, _residual) : _g.Add(_x, _residual);
        if (why == "output") sum = _g.Output("sum", sum);
        if (why == "part") sum = _g.SliceRows(sum, 1, 3);
        _g.Output("y", why == "activation" ? _g.LayerNorm(sum, _g.At("norm"), 1e-6f, Activation.Gelu) : Norm(sum, true));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }

    private Tensor Norm(Tensor x, bool isRms) => isRms ? _g.RmsNorm(x, _g.At("norm"), 1e-6f) : _g.LayerNorm(x, _g.At("norm"), 1e-6f);
}
