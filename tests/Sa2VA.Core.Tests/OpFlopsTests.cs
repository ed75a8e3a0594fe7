using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Operation counts against counting one by one: two for each multiplication with its addition.</summary>
public class OpFlopsTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 7)]
    [InlineData(3, 1)]
    [InlineData(9, 4)]
    public void Causal_attention_counts_the_keys_that_are_seen(int start, int rows)
    {
        const int Heads = 6, KvHeads = 2, HeadDim = 8, ValueDim = 5;
        var g = new GraphBuilder("attention", new TestWeights());
        RuntimeScalar at = g.Scalar("at", 20), count = g.Scalar("count", 10), length = g.Scalar("length", 30);
        Tensor q = g.Input("q", DType.F32, new Shape(10, Heads * HeadDim), count);
        Tensor k = g.Input("k", DType.F32, new Shape(30, KvHeads * HeadDim), length);
        Tensor v = g.Input("v", DType.F32, new Shape(30, KvHeads * ValueDim), length);
        g.Output("y", g.FlashAttention(q, k, v, Heads, KvHeads, 1, causal: true, at));

        long expected = 0;
        for (int i = 0; i < rows; i++)
            for (int j = 0; j <= start + i; j++) expected += 2 * Heads * (HeadDim + ValueDim);
        Assert.Equal(expected, g.Build().Flops([start, rows, start + rows]));
    }

    [Fact]
    public void Attention_over_all_keys_counts_them_all()
    {
        var g = new GraphBuilder("attention", new TestWeights());
        RuntimeScalar length = g.Scalar("length", 30);
        Tensor q = g.Input("q", DType.F32, new Shape(10, 48)), one = g.Input("one", DType.F32, new Shape(1, 48));
        Tensor k = g.Input("k", DType.F32, new Shape(30, 16), length), v = g.Input("v", DType.F32, new Shape(30, 16), length);
        g.Output("y", g.FlashAttention(q, k, v, 6, 2, 1));
        g.Output("z", g.DecodeAttention(one, k, v, 6, 2, 1));
        Assert.Equal((10 + 1) * 17 * 6 * 2 * (8 + 8), g.Build().Flops([17]));
    }

    [Fact]
    public void Maps_count_each_of_their_pixels()
    {
        var weights = new TestWeights();
        weights.Add("conv.weight", DType.F32, new Shape(4, 6, 3, 3), new float[216]);
        weights.Add("depth.weight", DType.F32, new Shape(6, 1, 7, 7), new float[294]);
        weights.Add("up.weight", DType.F32, new Shape(6, 5, 2, 2), new float[120]);
        var g = new GraphBuilder("maps", weights);
        Tensor map = g.Input("map", DType.F32, new Shape(9, 12, 6));
        g.Output("conv", g.Conv2d(map, g.At("conv"), 4, kernel: 3, stride: 2, padding: 1, bias: false));
        g.Output("depth", g.DepthwiseConv2d(map, g.At("depth"), 7, bias: false));
        g.Output("up", g.ConvTranspose2d(map, g.At("up"), 5, bias: false));
        // Windows of 4 at the edges are whole ones: 3×3 of them, 16 tokens each, two heads of one channel.
        g.Output("windows", g.WindowAttention(map, null, 2, 4, false, 1));
        Assert.Equal(2 * (5 * 6 * 4 * 6 * 9 + 9 * 12 * 6 * 49 + 9 * 12 * 6 * 5 * 4 + 9 * 16 * 16 * 2 * 2), g.Build().Flops([]));
    }
}
