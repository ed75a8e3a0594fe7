using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>When rows are chosen before a product instead of after it.</summary>
public class GatherBeforeProductTests
{
    private readonly GraphBuilder _g = new("net", new TestWeights());
    private readonly Tensor _rows, _map, _ious;

    public GatherBeforeProductTests()
    {
        _rows = _g.Input("rows", DType.F32, new Shape(4, 6));
        _map = _g.Input("map", DType.F32, new Shape(5, 7, 6));
        _ious = _g.Input("ious", DType.F32, new Shape(4));
    }

    [Fact]
    public void The_row_is_chosen_before_it_is_multiplied()
    {
        Tensor product = _g.MatMul(_rows, _map), index = _g.MaskSelect(_ious);
        Tensor y = _g.Output("y", _g.Gather(product, index));
        Graph graph = _g.Build(), rewritten = GraphPasses.Apply(graph);
        Assert.Equal([nameof(MaskSelect), nameof(Gather), nameof(MatMul)], rewritten.Ops.Select(o => o.GetType().Name));
        Assert.Equal([_rows, index], rewritten.Ops[1].Inputs);
        Assert.Equal([rewritten.Ops[1].Output, _map], rewritten.Ops[2].Inputs);
        Assert.Same(y.Root, rewritten.Ops[2].Output);
        Assert.Equal(graph.Flops([]), 4 * rewritten.Flops([]));
    }

    [Fact]
    public void A_row_of_each_object_is_chosen_before_it_is_multiplied()
    {
        RuntimeScalar n = _g.Scalar("objects", 3);
        Tensor rows = _g.Input("rows of objects", DType.F32, new Shape(3, 4, 6), n);
        Tensor maps = _g.Input("maps", DType.F32, new Shape(3, 5, 7, 6), n), ious = _g.Input("scores", DType.F32, new Shape(3, 4), n);
        Tensor y = _g.Output("y", _g.Gather(_g.MatMul(rows, maps), _g.MaskSelect(ious)));
        Graph graph = _g.Build(), rewritten = GraphPasses.Apply(graph);
        Assert.Equal([nameof(MaskSelect), nameof(Gather), nameof(MatMul)], rewritten.Ops.Select(o => o.GetType().Name));
        Assert.Equal((new Shape(3, 35), n), (y.Shape, y.Length));
        Assert.Equal(2 * 2 * 35 * 6, rewritten.Flops([2]));
        Assert.Equal(graph.Flops([2]), 4 * rewritten.Flops([2]));
    }

    [Theory]
    [InlineData("output")]
    [InlineData("stability")]
    [InlineData("any index")]
    [InlineData("part")]
    public void A_product_that_is_read_otherwise_stays(string why)
    {
        Tensor product = _g.MatMul(_rows, _map);
        if (why == "output") product = _g.Output("masks", product);
        Tensor index = why == "any index"
            ? _g.Input("index", DType.I32, new Shape(1))
            : _g.MaskSelect(_ious, why == "stability" ? product : null);
        _g.Output("y", _g.Gather(why == "part" ? _g.SliceChannels(product, 0, 9) : product, index));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }
}
