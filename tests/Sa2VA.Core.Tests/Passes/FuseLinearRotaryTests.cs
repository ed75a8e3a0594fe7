using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>When a product takes rotations of its columns along, and when they stay apart.</summary>
public class FuseLinearRotaryTests
{
    private const int Rows = 6;

    private readonly GraphBuilder _g;
    private readonly Tensor _x, _cos, _sin;

    public FuseLinearRotaryTests()
    {
        var weights = new TestWeights();
        weights.Add("all", DType.BF16, new Shape(32, 16), new float[32 * 16]);
        _g = new GraphBuilder("net", weights);
        _x = _g.Softmax(_g.Input("x", DType.F32, new Shape(Rows, 16)));
        (_cos, _sin) = (_g.Constant("cos", new Shape(3, 4), new float[12]), _g.Constant("sin", new Shape(3, 4), new float[12]));
    }

    [Fact]
    public void Rotated_columns_stay_where_they_are_beside_those_that_are_not()
    {
        Tensor all = _g.Linear(_x, _g.Weight("all"));
        Tensor v = _g.SliceChannels(all, 24, 8), k = Rotate(_g.SliceChannels(all, 16, 8)), q = Rotate(_g.SliceChannels(all, 0, 16));
        _g.Output("y", _g.FlashAttention(q, k, v, 2, 1, 1));
        Graph fused = GraphPasses.Rotated(_g.Build(), _ => true);
        Assert.Equal([nameof(Softmax), nameof(LinearRotary), nameof(FlashAttention)], fused.Ops.Select(o => o.GetType().Name));
        var op = (LinearRotary)fused.Ops[1];
        Assert.Equal((24, RotaryPairing.Half, null, null), (op.RotatedColumns, op.Pairing, op.Positions, op.Keys));
        Assert.Equal([_x, _cos, _sin], op.Inputs);
        Assert.Equal([(all, 0L, 32), (all, 16L, 32), (all, 24L, 32)], fused.Ops[2].Inputs.Select(i => (i.Root, i.Offset, i.RowStride)));
    }

    [Fact]
    public void A_product_stores_to_states_what_its_rotation_would_have()
    {
        Tensor rows = _g.List("rows", new Shape(Rows), new IndexRange(-1, 9));
        Tensor positions = _g.List("at", new Shape(Rows), new IndexRange(0, 3));
        Tensor keys = _g.State("keys", DType.BF16, new Shape(9, 8)), values = _g.State("values", DType.BF16, new Shape(9, 8));
        Tensor all = _g.Linear(_x, _g.Weight("all"));
        Tensor q = _g.RotaryEmbedding(_g.SliceChannels(all, 0, 16), _cos, _sin, positions, 2, RotaryPairing.Half);
        _g.WriteRows(keys, _g.RotaryEmbedding(_g.SliceChannels(all, 16, 8), _cos, _sin, positions, 1, RotaryPairing.Half), rows);
        _g.WriteRows(values, _g.SliceChannels(all, 24, 8), rows);
        _g.Output("y", q);
        Graph fused = GraphPasses.Rotated(GraphPasses.Apply(_g.Build()), _ => true);
        var op = Assert.IsType<LinearRotary>(fused.Ops[1]);
        Assert.Equal((2, 24, RotaryPairing.Half), (fused.Ops.Count, op.RotatedColumns, op.Pairing));
        Assert.Equal([_x, _cos, _sin, positions, keys, values, rows], op.Inputs);
        Assert.Equal([q, keys, values], op.Outputs);
    }

    public static TheoryData<string> Kept =>
        ["activation", "gap", "first", "read", "pairing", "output", "rows read", "later positions", "product is output", "no kernel"];

    [Theory]
    [MemberData(nameof(Kept))]
    public void What_is_read_as_it_was_or_differs_stays(string why)
    {
        Tensor all = _g.Linear(_x, _g.Weight("all"), activation: why == "activation" ? Activation.Relu : Activation.None);
        if (why == "product is output") all = _g.Output("all", all);
        Tensor first = _g.SliceChannels(all, why == "first" ? 8 : 0, 16), second = _g.SliceChannels(all, why == "gap" ? 24 : 16, 8);
        if (why == "first") second = _g.SliceChannels(all, 24, 8);
        Tensor q = why == "later positions"
            ? _g.RotaryEmbedding(first, _cos, _sin, _g.ArgMax(_g.Softmax(_x)), 2, RotaryPairing.Half) : Rotate(first);
        Tensor k = why == "later positions" ? second
            : _g.RotaryEmbedding(second, _cos, _sin, 1, why == "pairing" ? RotaryPairing.Adjacent : RotaryPairing.Half);
        if (why == "output") k = _g.Output("k", k);
        Tensor v = _g.SliceChannels(all, why == "read" ? 16 : 24, 8);
        if (why == "rows read") q = _g.Reshape(_g.Copy(_g.Reshape(q, new Shape(2 * Rows, 8))), q.Shape);
        _g.Output("y", _g.FlashAttention(q, k, v, 2, 1, 1));
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Rotated(graph, _ => why != "no kernel"));
    }

    private Tensor Rotate(Tensor x) => _g.RotaryEmbedding(x, _cos, _sin, x.Shape.Last / 8, RotaryPairing.Half);
}
