using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>Which maps lie in Z-order, and where a copy stands between.</summary>
public class ZOrderPlacementTests
{
    private const int Channels = 8, Wide = 64;
    private readonly GraphBuilder _g;

    public ZOrderPlacementTests()
    {
        var weights = new TestWeights();
        weights.Add("wide.weight", DType.F32, new Shape(Wide, Channels), new float[Wide * Channels]);
        weights.Add("wide.bias", DType.F32, new Shape(Wide), new float[Wide]);
        weights.Add("same.weight", DType.F32, new Shape(Channels, Channels), new float[Channels * Channels]);
        weights.Add("norm.weight", DType.F32, new Shape(Channels), new float[Channels]);
        weights.Add("norm.bias", DType.F32, new Shape(Channels), new float[Channels]);
        weights.Add("qkv.weight", DType.F32, new Shape(3 * Channels, Channels), new float[3 * Channels * Channels]);
        _g = new GraphBuilder("net", weights);
    }

    [Fact]
    public void A_product_that_pools_its_results_pays_for_copies_around_it()
    {
        Tensor x = Map(128, 128);
        Tensor y = _g.Output("y", _g.MaxPool2d(_g.Linear(x, _g.At("wide"), Wide)));
        Graph graph = _g.Build(), ordered = GraphPasses.ZOrdered(graph, ZOrderUse.WhereItPays, _ => true);
        Assert.Equal([nameof(Reorder), nameof(LinearMaxPool), nameof(Reorder)], Names(ordered));
        Assert.Same(x, ordered.Ops[0].Inputs[0].Root);
        Assert.True(ordered.Ops[0].Output.IsZOrdered && ordered.Ops[1].Output.IsZOrdered);
        Assert.Equal(new Shape(64, 64, Wide), ordered.Ops[1].Output.Shape);
        Assert.Same(y.Root, ordered.Ops[2].Output);
        Assert.False(y.Root.IsZOrdered);
        Assert.Equal(graph.Flops([]), ordered.Flops([]));
    }

    [Theory]
    [InlineData("small", 16)]
    [InlineData("no kernel", 128)]
    [InlineData("an odd map", 127)]
    [InlineData("read by another too", 128)]
    public void Where_it_does_not_pay_nothing_changes(string why, int side)
    {
        Tensor wide = _g.Linear(Map(side, side), _g.At("wide"), Wide);
        _g.Output("y", _g.MaxPool2d(wide));
        if (why == "read by another too") _g.Output("z", _g.Copy(wide));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.ZOrdered(graph, ZOrderUse.WhereItPays, _ => why != "no kernel"));
        Assert.Same(graph, GraphPasses.ZOrdered(graph, ZOrderUse.Nowhere, _ => true));
    }

    /// <summary>A map is copied once for all who read it, as narrow as it gets on the way.</summary>
    [Fact]
    public void Copies_are_few_and_narrow()
    {
        Tensor x = Map(128, 128), n = _g.Linear(x, _g.At("same"), Channels, bias: false);
        Tensor pooled = _g.MaxPool2d(_g.Linear(n, _g.At("wide"), Wide));
        Tensor narrow = _g.SliceChannels(pooled, 8, Channels);
        Tensor two = _g.Linear(narrow, _g.At("same"), Channels, bias: false);
        _g.Output("y", _g.Add(_g.Resize(two, 9, 9, ResizeMode.Bilinear), _g.Resize(_g.Copy(two), 9, 9, ResizeMode.Nearest)));
        Graph ordered = GraphPasses.ZOrdered(_g.Build(), ZOrderUse.WhereItPays, _ => true);
        Assert.Equal([nameof(Linear), nameof(Reorder), nameof(LinearMaxPool), nameof(Linear), nameof(Reorder), nameof(Resize), nameof(Copy),
            nameof(Resize), nameof(Combine)], Names(ordered));
        Assert.Equal(new Shape(128, 128, Channels), ordered.Ops[1].Output.Shape);
        Assert.Equal(new Shape(64, 64, Channels), ordered.Ops[4].Output.Shape);
    }

    [Theory]
    [InlineData(32, 8, true)]
    [InlineData(32, 7, false)]
    [InlineData(24, 8, true)]
    [InlineData(24, 16, false)]
    [InlineData(20, 8, false)]
    public void Windows_that_are_aligned_squares_are_runs(int side, int window, bool isOrdered)
    {
        Tensor qkv = _g.Linear(Map(side, side), _g.At("qkv"), 3 * Channels, bias: false);
        _g.Output("y", _g.WindowAttention(qkv, null, 2, window, false, 1));
        Graph ordered = GraphPasses.ZOrdered(_g.Build(), ZOrderUse.Wherever, _ => true);
        Assert.Equal(isOrdered, ordered.Ops.OfType<WindowAttention>().Single().Inputs[0].IsZOrdered);
        Assert.True(ordered.Ops.OfType<Linear>().Single().Output.IsZOrdered);
    }

    /// <summary>A table that is added is put in order when the plan is made.</summary>
    [Fact]
    public void Tables_are_permuted_and_not_copied()
    {
        float[] table = TestValues.Random(1, 4 * 4 * Channels), found = new float[table.Length], expected = new float[table.Length];
        Tensor x = Map(4, 4);
        _g.Output("y", _g.Add(x, _g.Constant("table", x.Shape, table)));
        _g.Output("z", _g.Add(x, _g.Constant("row", new Shape(Channels), new float[Channels])));
        Graph ordered = GraphPasses.ZOrdered(_g.Build(), ZOrderUse.Wherever, _ => true);
        Assert.Equal([nameof(Reorder), nameof(Combine), nameof(Reorder), nameof(Combine), nameof(Reorder)], Names(ordered));
        Tensor constant = ordered.Ops[1].Inputs[1];
        Assert.True(constant.IsZOrdered);
        constant.Data!.Fill!(found);
        ZOrder.Permute(x.Shape, table, expected);
        Assert.Equal(expected, found);
        Assert.Equal(TensorKind.Constant, ordered.Ops[3].Inputs[1].Kind);
        Assert.False(ordered.Ops[3].Inputs[1].IsZOrdered);
    }

    /// <summary>Its result and the sum beside it are raster maps.</summary>
    [Fact]
    public void A_norm_that_makes_its_sum_stays()
    {
        Tensor x = Map(16, 16), sum = _g.Add(x, _g.Copy(x));
        _g.Output("y", _g.Add(_g.LayerNorm(sum, _g.At("norm"), 1e-6f), sum));
        Graph ordered = GraphPasses.ZOrdered(GraphPasses.Apply(_g.Build()), ZOrderUse.Wherever, _ => true);
        LayerNorm norm = ordered.Ops.OfType<LayerNorm>().Single();
        Assert.Equal(2, norm.Outputs.Count());
        Assert.All(norm.Outputs.Concat(norm.Inputs), t => Assert.False(t.IsZOrdered));
        Assert.All(ordered.Ops.OfType<Combine>().Single().Inputs, t => Assert.True(t.IsZOrdered));
    }

    [Fact]
    public void What_needs_rows_of_the_map_gets_a_raster_map()
    {
        Tensor x = Map(16, 16), qkv = _g.Linear(x, _g.At("qkv"), 3 * Channels, bias: false);
        Tensor all = _g.FlashAttention(_g.SliceChannels(qkv, 0, Channels), _g.SliceChannels(qkv, Channels, Channels),
            _g.SliceChannels(qkv, 2 * Channels, Channels), 2, 2, 1);
        _g.Output("y", _g.Linear(_g.Reshape(all, x.Shape), _g.At("same"), Channels, bias: false, residual: x));
        Graph ordered = GraphPasses.ZOrdered(_g.Build(), ZOrderUse.Wherever, _ => true);
        Assert.Equal([nameof(Reorder), nameof(Linear), nameof(Reorder), nameof(FlashAttention), nameof(Reorder), nameof(Linear),
            nameof(Reorder)], Names(ordered));
        Assert.All(ordered.Ops.OfType<FlashAttention>().Single().Inputs, i => Assert.False(i.IsZOrdered));
        Assert.All(ordered.Ops[5].Inputs, i => Assert.True(i.IsZOrdered));
    }

    private Tensor Map(int height, int width) => _g.Input("x", DType.F32, new Shape(height, width, Channels));

    private static string[] Names(Graph graph) => [.. graph.Ops.Select(o => o.GetType().Name)];
}
