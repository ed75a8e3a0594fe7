using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>When a convolution over an 8-bit image becomes a product of patch rows.</summary>
public class FusePatchRowsTests
{
    private readonly GraphBuilder _g;
    private readonly Tensor _image;

    public FusePatchRowsTests()
    {
        var weights = new TestWeights();
        weights.Add("conv.weight", DType.BF16, new Shape(2, 3, 3, 3), [.. Enumerable.Range(0, 54).Select(i => (float)i)]);
        weights.Add("conv.bias", DType.F32, new Shape(2), new float[2]);
        _g = new GraphBuilder("net", weights);
        _image = _g.Input("image", DType.U8, new Shape(9, 7, 3));
    }

    [Fact]
    public void It_becomes_a_layer_of_rows_of_whole_sectors()
    {
        Tensor y = _g.Output("y", Tokens(Pixels()));
        Graph graph = GraphPasses.PatchRows(_g.Build());
        var rows = Assert.IsType<PatchRows>(graph.Ops[0]);
        var layer = Assert.IsType<Linear>(graph.Ops[1]);
        Assert.Equal(2, graph.Ops.Count);
        Assert.Equal(new Shape(5, 4, 32), rows.Output.Shape);
        Assert.Equal((3, 2, 1), (rows.Kernel, rows.Stride, rows.Padding));
        Assert.Same(_image, rows.Inputs[0]);
        Assert.Equal([rows.Output], layer.Inputs);
        Assert.Same(y.Root, layer.Output);
        Assert.Equal("conv.bias", layer.Bias!.Name);
    }

    [Fact]
    public void Its_filter_has_the_order_of_patches()
    {
        _g.Output("y", Tokens(Pixels()));
        Weight weight = GraphPasses.PatchRows(_g.Build()).Ops.OfType<Linear>().Single().Weight;
        float[] rows = weight.ReadValues();
        Assert.Equal(new Shape(2, 32), weight.Shape);
        for (int i = 0; i < rows.Length; i++)
        {
            (int o, int k) = (i / 32, i % 32);
            Assert.Equal(k < 27 ? o * 27 + k % 3 * 9 + k / 3 : 0, rows[i]);
        }
    }

    [Fact]
    public void Layers_of_one_filter_share_it()
    {
        _g.Output("y", Tokens(Pixels()));
        _g.Output("z", Tokens(Pixels()));
        Weight[] weights = [.. GraphPasses.PatchRows(_g.Build()).Ops.OfType<Linear>().Select(l => l.Weight)];
        Assert.Equal(weights[0].Source, weights[1].Source);
        Assert.Equal(weights[0].Name, weights[1].Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_map_that_is_added_to_tokens_is_added_by_the_layer(bool isSeen)
    {
        Tensor tokens = Tokens(Pixels()), positions = _g.Constant("positions", tokens.Shape, new float[tokens.Shape.Count]);
        if (isSeen) tokens = _g.Output("tokens", tokens);
        Tensor y = _g.Output("y", _g.Add(tokens, positions));
        Graph graph = GraphPasses.PatchRows(_g.Build());
        Linear layer = graph.Ops.OfType<Linear>().Single();
        Assert.Equal(isSeen ? null : positions, layer.Residual);
        Assert.Same(isSeen ? tokens.Root : y.Root, layer.Output);
        Assert.Equal(isSeen, graph.Ops.OfType<Combine>().Any());
    }

    [Theory]
    [InlineData("a row that repeats")]
    [InlineData("itself")]
    [InlineData("the second of two")]
    public void What_is_added_otherwise_is_added_as_before(string what)
    {
        Tensor tokens = Tokens(Pixels());
        Tensor sum = what switch
        {
            "a row that repeats" => _g.Add(tokens, _g.Constant("positions", new Shape(2), new float[2])),
            "itself" => _g.Add(tokens, tokens),
            _ => _g.Add(_g.Constant("positions", tokens.Shape, new float[tokens.Shape.Count]), tokens),
        };
        _g.Output("y", sum);
        Graph graph = GraphPasses.PatchRows(_g.Build());
        Assert.Single(graph.Ops.OfType<Combine>());
        Assert.Null(graph.Ops.OfType<Linear>().Single().Residual);
    }

    [Theory]
    [InlineData("pixels are an output")]
    [InlineData("pixels are read twice")]
    [InlineData("patches overlap much")]
    [InlineData("a copy between")]
    public void Others_stay(string why)
    {
        Tensor pixels = Pixels();
        if (why == "pixels are an output") pixels = _g.Output("pixels", pixels);
        if (why == "pixels are read twice") _g.Output("more", _g.MaxPool2d(pixels));
        if (why == "a copy between") pixels = _g.Copy(pixels);
        _g.Output("y", Tokens(pixels, stride: why == "patches overlap much" ? 1 : 2));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.PatchRows(graph));
    }

    private Tensor Pixels() => _g.Normalize(_image, _g.Constant("table", new Shape(3, 256), new float[768]));

    private Tensor Tokens(Tensor pixels, int stride = 2) => _g.Conv2d(pixels, _g.At("conv"), 2, 3, stride, 1);
}
