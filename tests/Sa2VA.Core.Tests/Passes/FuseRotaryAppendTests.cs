using Sa2VA.Core;

namespace Sa2VA.Tests.Passes;

/// <summary>When rotations and writes of new tokens become one op, and when they stay.</summary>
public class FuseRotaryAppendTests
{
    private readonly GraphBuilder _g = new("net", new TestWeights());
    private readonly Tensor _q, _k, _v, _keys, _values, _rows, _positions, _cos, _sin;

    public FuseRotaryAppendTests()
    {
        (_q, _k) = (_g.Input("q", DType.F32, new Shape(3, 16)), _g.Input("k", DType.F32, new Shape(3, 8)));
        _v = _g.Input("v", DType.F32, new Shape(3, 8));
        (_keys, _values) = (_g.State("keys", DType.BF16, new Shape(20, 8)), _g.State("values", DType.BF16, new Shape(20, 8)));
        _rows = _g.List("rows", new Shape(3), new IndexRange(-1, 20));
        _positions = _g.List("positions", new Shape(3), new IndexRange(0, 9));
        (_cos, _sin) = (_g.Constant("cos", new Shape(9, 4), new float[36]), _g.Constant("sin", new Shape(9, 4), new float[36]));
    }

    [Fact]
    public void Four_ops_become_one_that_writes_three_tensors()
    {
        Tensor q = Rotate(_q, 2), k = Rotate(_k, 1);
        Tensor keys = _g.WriteRows(_keys, k, _rows), values = _g.WriteRows(_values, _v, _rows);
        _g.Output("y", _g.FlashAttention(q, keys, values, 2, 1, 1));
        Graph graph = _g.Build(), fused = GraphPasses.Apply(graph);
        Assert.Equal((5, 2), (graph.Ops.Count, fused.Ops.Count));
        var op = Assert.IsType<RotaryAppend>(fused.Ops[0]);
        Assert.Equal([q, keys, values], op.Outputs);
        Assert.Equal([_q, _k, _v, _cos, _sin, _positions, _keys, _values, _rows], op.Inputs);
        Assert.Equal((2, 1, RotaryPairing.Half), (op.Heads, op.KvHeads, op.Pairing));
        Assert.Same(q, fused.Ops[1].Inputs[0]);
    }

    public static TheoryData<string> Kept =>
    [
        "order", "between", "key read", "key output", "positions", "rows", "pairing", "no positions", "value is key", "key of query",
        "one state", "capacity",
    ];

    [Theory]
    [MemberData(nameof(Kept))]
    public void What_is_read_between_or_differs_stays(string why)
    {
        if (why == "order") _g.WriteRows(_values, _v, _rows);
        Tensor q = why == "no positions" ? _g.RotaryEmbedding(_q, _cos, _sin, 2, RotaryPairing.Half) : Rotate(_q, 2);
        Tensor positions = why == "positions" ? _g.List("other", new Shape(3), new IndexRange(0, 9)) : _positions;
        Tensor x = why == "key of query" ? _g.SliceChannels(q, 0, 8) : _k;
        Tensor k = why == "no positions" ? _g.RotaryEmbedding(x, _cos, _sin, 1, RotaryPairing.Half)
            : _g.RotaryEmbedding(x, _cos, _sin, positions, 1, why == "pairing" ? RotaryPairing.Adjacent : RotaryPairing.Half);
        if (why == "key output") k = _g.Output("k", k);
        _g.WriteRows(_keys, k, _rows);
        if (why == "between") _g.Output("before", _g.FlashAttention(q, _keys, _values, 2, 1, 1));
        Tensor rows = why == "rows" ? _g.List("elsewhere", new Shape(3), new IndexRange(-1, 20)) : _rows;
        Tensor values = why switch
        {
            "one state" => _keys,
            "capacity" => _g.State("long", DType.BF16, new Shape(21, 8)),
            _ => _values,
        };
        if (why != "order") _g.WriteRows(values, why == "value is key" ? k : _v, rows);
        if (why == "key read") _g.Output("z", _g.Softmax(k));
        _g.Output("y", q);
        Graph graph = _g.Build();
        Assert.Same(graph, GraphPasses.Apply(graph));
    }

    private Tensor Rotate(Tensor x, int heads) => _g.RotaryEmbedding(x, _cos, _sin, _positions, heads, RotaryPairing.Half);
}
