using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Which results are stored as BF16, told by who reads them.</summary>
public class StoragePolicyTests
{
    private readonly GraphBuilder _g;
    private readonly Tensor _x;

    public StoragePolicyTests()
    {
        var weights = new TestWeights();
        foreach (string name in (string[])["a", "b", "c", "head"]) weights.Add(name, DType.BF16, new Shape(8, 8), new float[64]);
        weights.Add("conv.weight", DType.BF16, new Shape(8, 8, 3, 3), new float[576]);
        foreach (string name in (string[])["norm.weight", "norm.bias"]) weights.Add(name, DType.F32, new Shape(8), new float[8]);
        _g = new GraphBuilder("net", weights);
        _x = _g.Input("x", DType.F32, new Shape(6, 8));
    }

    [Fact]
    public void Nothing_is_narrow_in_float()
    {
        _g.Output("y", Layer(Norm(_x), "a"));
        Graph graph = _g.Build();
        Assert.Empty(StoragePolicy.Narrowed(graph, Precision.Float32));
        Assert.Same(graph, StoragePolicy.Apply(graph, Precision.Float32, new Kernels(true)));
    }

    [Fact]
    public void A_layer_of_a_transformer_stores_operands_narrow_and_its_stream_wide()
    {
        Tensor x = Layer(_x, "a", residual: _x), n = Norm(x), q = Layer(n, "a"), rotated = Rotate(q), k = Layer(n, "b"), v = Layer(n, "c");
        Tensor attended = _g.FlashAttention(rotated, k, v, 1, 1, 1), sum = Layer(attended, "a", residual: x), again = Norm(sum);
        Tensor gate = Layer(again, "a"), up = Layer(again, "b"), gated = _g.SwiGlu(gate, up), end = Layer(gated, "c", residual: sum);
        Tensor logits = Layer(Norm(end), "head");
        _g.Output("next", _g.ArgMax(logits));
        AreNarrow([n, q, rotated, k, v, attended, again, gate, up, gated],
            wide: [x, sum, end, logits]);
    }

    [Fact]
    public void What_is_added_stays_wide_even_where_a_product_reads_it_too()
    {
        Tensor n = Norm(_x), both = Layer(n, "a"), position = _g.Add(n, both), product = Layer(position, "b");
        _g.Output("y", Layer(Layer(both, "c"), "a", residual: product));
        AreNarrow([position], wide: [n, both, product]);
    }

    [Fact]
    public void A_sum_stays_wide_though_products_alone_read_it()
    {
        Tensor n = Norm(_x), sum = Layer(n, "a", residual: _x);
        _g.Output("y", Layer(sum, "b"));
        AreNarrow([n], wide: [sum]);
    }

    [Fact]
    public void What_norm_softmax_and_choices_read_stays_wide()
    {
        Tensor scores = _g.MatMul(Layer(_x, "a"), Layer(_x, "b")), weights = _g.Softmax(scores);
        Tensor mixed = _g.MatMul(weights, _g.Constant("v", new Shape(8, 6), new float[48])), normed = Norm(mixed);
        Tensor sigmoid = _g.Map(Layer(normed, "c"), Activation.Sigmoid), product = Layer(sigmoid, "head");
        _g.Output("next", _g.ArgMax(product));
        AreNarrow([weights, normed, sigmoid], wide: [scores, mixed, product]);
    }

    [Fact]
    public void A_tensor_is_as_narrow_as_where_it_is_moved_to()
    {
        Tensor state = _g.State("bank", DType.BF16, new Shape(9, 8)), wideState = _g.State("pointers", DType.F32, new Shape(9, 8));
        Tensor at = _g.List("at", new Shape(_x.Shape[0]), new IndexRange(-1, 9));
        Tensor stored = Layer(_x, "a"), kept = Layer(_x, "b"), last = First(Layer(_x, "c"));
        _g.WriteRows(state, stored, at);
        _g.WriteRows(wideState, kept, at);
        Tensor gathered = _g.Gather(_g.Concat([stored, last]), _g.Input("index", DType.I32, new Shape(3)));
        _g.Output("y", _g.Copy(Layer(gathered, "a"), DType.BF16));
        AreNarrow([stored, last, gathered], wide: [kept]);
    }

    private Tensor First(Tensor x) => _g.Gather(x, _g.List("first", new Shape(1), new IndexRange(0, 1)));

    [Fact]
    public void Maps_that_are_resampled_or_convolved_channel_by_channel_stay_wide()
    {
        Tensor map = _g.Reshape(Layer(_x, "a"), new Shape(2, 3, 8)), bigger = _g.Resize(map, 4, 6, ResizeMode.Bilinear);
        Tensor scaled = _g.Map(bigger, Activation.Sigmoid, 20, -10), conv = _g.Conv2d(scaled, _g.At("conv"), 8, 3, 1, 1, false);
        _g.Output("y", conv);
        AreNarrow([scaled], wide: [map, bigger]);
    }

    [Fact]
    public void Integers_stay_exact()
    {
        Tensor best = _g.ArgMax(_x), number = _g.Copy(_g.Reshape(best, new Shape(6, 1)), DType.F32);
        _g.Output("y", _g.MatMul(number, _g.Constant("one", new Shape(1, 1), [1])));
        AreNarrow([], wide: [number]);
    }

    [Fact]
    public void A_hint_keeps_what_the_rule_would_narrow_and_survives_the_passes()
    {
        Tensor n = Norm(_x), hidden, q;
        using (_g.KeepFloat())
        {
            hidden = Layer(n, "a");
            q = Layer(n, "b");
        }
        Tensor k = Layer(n, "c");
        _g.Output("y", Layer(hidden, "c"));
        _g.Output("z", _g.FlashAttention(q, k, k, 1, 1, 1));
        Graph stacked = GraphPasses.Apply(AreNarrow([n, k], wide: [hidden, q]));
        Linear both = Assert.Single(stacked.Ops.OfType<Linear>(), l => l.OutFeatures == 16);
        Assert.DoesNotContain(both.Output, StoragePolicy.Narrowed(stacked, Precision.BFloat16));
    }

    [Fact]
    public void Placed_graphs_have_their_types_and_half_the_arena()
    {
        Tensor n = Norm(_x), hidden = Layer(Layer(n, "a"), "b");
        Tensor y = _g.Output("y", Layer(_g.SliceChannels(hidden, 0, 8), "c"));
        Graph graph = _g.Build(), placed = StoragePolicy.Apply(graph, Precision.BFloat16, new Kernels(true));
        Assert.Equal([DType.BF16, DType.BF16, DType.BF16, DType.F32], placed.Ops.Select(o => o.Output.Type));
        Assert.Equal([DType.F32, DType.BF16, DType.BF16, DType.BF16], placed.Ops.Select(o => o.Inputs[0].Type));
        Assert.Same(y.Root, placed.Ops[^1].Output);
        Assert.Equal(graph.Inputs, placed.Inputs);
        Assert.All(graph.Ops, o => Assert.Equal(DType.F32, o.Output.Type));
        Assert.Equal((2 * 192, 2 * 128), (MemoryPlan.Create(graph, 32).PeakLiveBytes, MemoryPlan.Create(placed, 32).PeakLiveBytes + 64));
    }

    [Fact]
    public void A_copy_stands_between_where_a_kernel_knows_F32_alone()
    {
        Tensor n = Norm(_x), hidden = Layer(_g.SliceChannels(n, 0, 8), "a");
        _g.Output("y", Layer(hidden, "b"));
        Graph placed = StoragePolicy.Apply(_g.Build(), Precision.BFloat16, new Kernels(false));
        Assert.Equal([typeof(LayerNorm), typeof(Copy), typeof(Copy), typeof(Linear), typeof(Copy), typeof(Copy), typeof(Linear)],
            placed.Ops.Select(o => o.GetType()));
        // What is stored has 16 bits all the same, so that another backend's kernels see the same numbers.
        Assert.Equal([DType.F32, DType.BF16, DType.F32, DType.F32, DType.BF16, DType.F32, DType.F32],
            placed.Ops.Select(o => o.Output.Type));
    }

    private Graph AreNarrow(Tensor[] narrow, Tensor[] wide)
    {
        Graph graph = _g.Build();
        IReadOnlySet<Tensor> narrowed = StoragePolicy.Narrowed(graph, Precision.BFloat16);
        Assert.All(narrow, t => Assert.Contains(t.Root, narrowed));
        Assert.All(wide, t => Assert.DoesNotContain(t.Root, narrowed));
        return graph;
    }

    private Tensor Norm(Tensor x) => _g.LayerNorm(x, _g.At("norm"), 1e-6f);

    private Tensor Layer(Tensor x, string weight, Tensor? residual = null) => _g.Linear(x, _g.Weight(weight), residual: residual);

    private Tensor Rotate(Tensor x)
    {
        Tensor angles = _g.Constant("angles", new Shape(6, 4), new float[24]);
        return _g.RotaryEmbedding(x, angles, angles, 1, RotaryPairing.Half);
    }

    private sealed class Kernels(bool all) : INarrowKernels
    {
        public bool Reads(Op op, int input) => all || op is Copy;

        public bool Writes(Op op) => all || op is Copy;
    }
}
