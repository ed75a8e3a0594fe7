using Sa2VA.Core;

namespace Sa2VA.Tests;

public class GraphBuilderTests
{
    private static readonly Dictionary<string, Action<Net>> Wrong = new()
    {
        ["Linear: width"] = n => n.G.Linear(n.Rows, n.G.Weight("square")),
        ["Linear: bias"] = n => n.G.Linear(n.Rows, n.G.Weight("wide"), n.G.Weight("vector")),
        ["Linear: scale"] = n => n.G.Linear(n.Rows, n.G.Weight("wide"), scale: n.G.Weight("vector")),
        ["Linear: residual"] = n => n.G.Linear(n.Rows, n.G.Weight("wide"), residual: n.Rows),
        ["Linear: ids"] = n => n.G.Linear(n.Ids, n.G.Weight("wide")),
        ["MatMul: products"] = n => n.G.MatMul(n.Map, n.G.Reshape(n.Map, new Shape(5, 3, 6))),
        ["MatMul: width"] = n => n.G.MatMul(n.Rows, n.Map),
        ["LayerNorm: ids"] = n => n.G.LayerNorm(n.Ids, n.G.At("norm"), 1e-6f),
        ["RmsNorm: ids"] = n => n.G.RmsNorm(n.Ids, n.G.At("norm"), 1e-6f),
        ["Softmax: ids"] = n => n.G.Softmax(n.Ids),
        ["Map: ids"] = n => n.G.Map(n.Ids, Activation.Relu),
        ["Add: width"] = n => n.G.Add(n.Rows, n.Map),
        ["Multiply: rows"] = n => n.G.Multiply(n.Rows, n.G.SliceRows(n.Rows, 0, 5)),
        ["SwiGlu: width"] = n => n.G.SwiGlu(n.Rows, n.Map),
        ["Where: condition"] = n => n.G.Where(n.Rows, n.Rows, n.Rows),
        ["Where: count"] = n => n.G.Where(n.One, n.Rows, n.Map),
        ["Where: condition of integers"] = n => n.G.Where(n.OneId, n.Rows, n.Rows),
        ["Copy: to integers"] = n => n.G.Copy(n.Rows, DType.I32),
        ["Normalize: floats"] = n => n.G.Normalize(n.Map, n.Rows),
        ["FlashAttention: heads"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.Rows, 5, 5, 1),
        ["FlashAttention: groups"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.Rows, 3, 2, 1),
        ["FlashAttention: lengths"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.G.SliceRows(n.Rows, 0, 3), 1, 1, 1),
        ["FlashAttention: start"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.Rows, 1, 1, 1, causal: false, n.Length),
        ["DecodeAttention: rows"] = n => n.G.DecodeAttention(n.Rows, n.Rows, n.Rows, 1, 1, 1),
        ["DecodeAttention: heads"] = n => n.G.DecodeAttention(n.G.SliceRows(n.Rows, 0, 1), n.Rows, n.Rows, 5, 5, 1),
        ["FlashAttention: parts"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.Rows, 1, 1, 1, groups: 2),
        ["FlashAttention: causal parts"] = n => n.G.FlashAttention(n.Rows, n.Rows, n.Rows, 1, 1, 1, causal: true, groups: 7),
        ["FlashAttention: segments"] = n => Segmented(n, n.Ids),
        ["FlashAttention: lengths of floats"] = n => Segmented(n, n.One),
        ["FlashAttention: offsets"] = n => Segmented(n, n.OneId, n.Ids),
        ["FlashAttention: pages of others"] = n => Segmented(n, n.OneId, n.Two, n.G.Reshape(n.Ids, new Shape(7, 1)), 1),
        ["FlashAttention: rows of a page"] = n => Segmented(n, n.OneId, n.Two, n.G.Reshape(n.Ids, new Shape(1, 7)), 7),
        ["FlashAttention: half a page"] = n => Segmented(n, n.OneId, n.Two, n.G.Reshape(n.Ids, new Shape(1, 7)), 2),
        ["FlashAttention: no pages"] = n => Segmented(n, n.OneId, n.Two, null, 16),
        ["DecodeAttention: segments"] = n => n.G.DecodeAttention(n.Rows, n.Rows, n.Rows, 1, 1, 1, new AttentionSegments(n.OneId)),
        ["DecodeAttention: offsets"] =
            n => n.G.DecodeAttention(n.G.SliceRows(n.Rows, 0, 1), n.Rows, n.Rows, 1, 1, 1, new AttentionSegments(n.OneId, n.Two)),
        ["WindowAttention: heads"] = n => n.G.WindowAttention(n.Map, null, 4, 2, false, 1),
        ["WindowAttention: window"] = n => n.G.WindowAttention(n.Map, null, 1, 0, false, 1),
        ["WindowAttention: pooling an odd map"] = n => n.G.WindowAttention(n.Map, null, 1, 2, true, 1),
        ["Conv2d: rank"] = n => n.G.Conv2d(n.Rows, n.G.At("conv"), 2, 3, 1, 1),
        ["Conv2d: size"] = n => n.G.Conv2d(n.G.Reshape(n.Map, new Shape(1, 15, 6)), n.G.At("conv"), 2, 3, 1, 0),
        ["Conv2d: stride"] = n => n.G.Conv2d(n.Map, n.G.At("conv"), 2, 3, 0, 1),
        ["Conv2d: padding"] = n => n.G.Conv2d(n.Map, n.G.At("conv"), 2, 3, 1, 3),
        ["DepthwiseConv2d: even"] = n => n.G.DepthwiseConv2d(n.Map, n.G.At("conv"), 2),
        ["ConvTranspose2d: rank"] = n => n.G.ConvTranspose2d(n.Rows, n.G.At("up"), 2),
        ["ConvTranspose2d: residual"] = n => n.G.ConvTranspose2d(n.Map, n.G.At("up"), 2, residual: n.Map),
        ["ConvTranspose2d: residual of others"] = n => n.G.ConvTranspose2d(n.G.Reshape(n.Map, new Shape(1, 3, 5, 6)), n.G.At("up"), 2,
            residual: n.G.Reshape(n.Map, new Shape(3, 5, 6))),
        ["MaxPool2d: maps"] = n => n.G.MaxPool2d(n.G.Reshape(n.Map, new Shape(1, 3, 5, 6))),
        ["MaxPool2d: size"] = n => n.G.MaxPool2d(n.G.Reshape(n.Map, new Shape(1, 15, 6))),
        ["Resize: rank"] = n => n.G.Resize(n.Rows, 2, 2, ResizeMode.Nearest),
        ["Resize: size"] = n => n.G.Resize(n.Map, 0, 2, ResizeMode.Nearest),
        ["PixelShuffle: odd"] = n => n.G.PixelShuffle(n.Map, false),
        ["RotaryEmbedding: heads"] = n => n.G.RotaryEmbedding(n.Rows, n.Table, n.Table, 3, RotaryPairing.Half),
        ["RotaryEmbedding: positions"] =
            n => n.G.RotaryEmbedding(n.G.SliceRows(n.Rows, 0, 5), n.Table, n.Table, n.Ids, 1, RotaryPairing.Half),
        ["RotaryEmbedding: positions of floats"] = n => n.G.RotaryEmbedding(n.Rows, n.Table, n.Table, n.One, 1, RotaryPairing.Half),
        ["Gather: index"] = n => n.G.Gather(n.Rows, n.Rows),
        ["Gather: table"] = n => n.G.Gather(n.Map, n.Ids),
        ["Gather: tables of others"] = n => n.G.Gather(n.G.Reshape(n.Rows, new Shape(1, 7, 8)), n.Ids),
        ["Embedding: ids"] = n => n.G.Embedding(n.G.Weight("wide"), n.Rows),
        ["Embedding: overrides"] = n => n.G.Embedding(n.G.Weight("wide"), n.Ids, n.Map),
        ["Concat: nothing"] = n => n.G.Concat([]),
        ["Concat: width"] = n => n.G.Concat([n.Rows, n.Map]),
        ["Concat: length"] = n => n.G.Concat([n.Rows, n.Rows], n.Length),
        ["Concat: segments"] = n => n.G.Concat([n.Rows, n.Rows], segments: 2),
        ["Concat: lists"] = n => n.G.Concat([n.Rows, n.Rows], [n.Ids]),
        ["Concat: lists of floats"] = n => n.G.Concat([n.Rows], [n.Rows]),
        ["Repeat: times"] = n => n.G.Repeat(n.Rows, 0),
        ["Repeat: map"] = n => n.G.Repeat(n.Map, 2),
        ["WriteRows: no state"] = n => n.G.WriteRows(n.Rows, n.Rows, n.Ids),
        ["WriteRows: width"] = n => n.G.WriteRows(n.State, n.Map, n.Ids),
        ["WriteRows: list"] = n => n.G.WriteRows(n.State, n.G.SliceRows(n.Rows, 0, 5), n.Ids),
        ["WriteRows: list of a run-time length"] =
            n => n.G.WriteRows(n.State, n.Rows, n.G.Input("rows of a run", DType.I32, new Shape(20), n.Length)),
        ["WriteRows: list of floats"] = n => n.G.WriteRows(n.State, n.Rows, n.Rows),
        ["ArgMax: ids"] = n => n.G.ArgMax(n.Ids),
        ["SetBits: floats"] = n => n.G.SetBits(n.Rows, n.Ids),
        ["SetBits: rows"] = n => n.G.SetBits(n.Bits, n.Two),
        ["RepetitionPenalty: integers"] = n => n.G.RepetitionPenalty(n.Ids, n.Bits, n.Ids),
        ["RepetitionPenalty: bits"] = n => n.G.RepetitionPenalty(n.Rows, n.G.Input("wide bits", DType.I32, new Shape(7, 2)), n.Ids),
        ["RepetitionPenalty: bits of floats"] = n => n.G.RepetitionPenalty(n.Rows, n.Rows, n.Ids),
        ["RepetitionPenalty: penalties"] = n => n.G.RepetitionPenalty(n.Rows, n.Bits, n.Two),
        ["MaskSelect: IoUs"] = n => n.G.MaskSelect(n.One),
        ["MaskSelect: masks"] = n => n.G.MaskSelect(n.G.SliceChannels(n.G.SliceRows(n.State, 0, 1), 0, 4), n.Rows),
        ["Reshape: count"] = n => n.G.Reshape(n.Rows, new Shape(7, 9)),
        ["Reshape: gaps"] = n => n.G.Reshape(n.G.SliceChannels(n.Rows, 0, 4), new Shape(4, 7)),
        ["SliceChannels: end"] = n => n.G.SliceChannels(n.Rows, 6, 3),
        ["SliceChannels: start"] = n => n.G.SliceChannels(n.Rows, -1, 3),
        ["SliceRows: end"] = n => n.G.SliceRows(n.Rows, 5, 3),
        ["SliceRows: nothing"] = n => n.G.SliceRows(n.Rows, 0, 0),
    };

    private static Tensor Segmented(Net n, Tensor lengths, Tensor? offsets = null, Tensor? pages = null, int pageRows = 0) =>
        n.G.FlashAttention(n.G.SliceRows(n.Rows, 0, 5), n.Rows, n.Rows, new AttentionSegments(lengths, offsets, pages, pageRows), 2, 2, 1);

    public static TheoryData<string> Cases => [.. Wrong.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Wrong_wiring_fails_while_recording_with_the_ops_and_a_tensors_name(string name)
    {
        var net = new Net();
        string message = Assert.Throws<GraphException>(() => Wrong[name](net)).Message;
        Assert.StartsWith("net, ", message, StringComparison.Ordinal);
        Assert.Contains(name[..name.IndexOf(':', StringComparison.Ordinal)], message, StringComparison.Ordinal);
        if (name is not ("Concat: nothing" or "Concat: length" or "Concat: lists" or "Concat: lists of floats"
            or "FlashAttention: start" or "DepthwiseConv2d: even"))
            Assert.Contains('\'', message);
    }

    [Fact]
    public void A_misshapen_layer_names_its_tensor()
    {
        var n = new Net();
        Assert.Contains("'conv.weight'", Assert.Throws<CheckpointException>(() => n.G.Conv2d(n.Map, n.G.At("conv"), 3, 3, 1, 1)).Message,
            StringComparison.Ordinal);
        Assert.Contains("'norm.weight'", Assert.Throws<CheckpointException>(() => n.G.LayerNorm(n.Map, n.G.At("norm"), 1e-6f)).Message,
            StringComparison.Ordinal);
        Assert.Contains("'layer.weight'", Assert.Throws<CheckpointException>(() => n.G.Linear(n.Map, n.G.At("layer"), 16)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Shapes_are_inferred()
    {
        var n = new Net();
        Assert.Equal(new Shape(7, 16), n.G.Linear(n.Rows, n.G.Weight("wide")).Shape);
        Assert.Equal(new Shape(2, 3, 2), n.G.Conv2d(n.Map, n.G.At("conv"), 2, 3, 2, 1, bias: false).Shape);
        Assert.Equal(new Shape(6, 10, 2), n.G.ConvTranspose2d(n.Map, n.G.At("up"), 2, bias: false).Shape);
        Assert.Equal(new Shape(1, 2, 6), n.G.MaxPool2d(n.Map).Shape);
        Assert.Equal(new Shape(9, 4, 6), n.G.Resize(n.Map, 9, 4, ResizeMode.Bilinear).Shape);
        Assert.Equal(new Shape(7, 15), n.G.MatMul(n.G.SliceChannels(n.Rows, 0, 6), n.Map).Shape);
        Assert.Equal(new Shape(14, 8), n.G.Concat([n.Rows, n.Rows]).Shape);
        Assert.Equal((new Shape(7), DType.I32), (n.G.ArgMax(n.Rows).Shape, n.G.ArgMax(n.Rows).Type));
    }

    [Fact]
    public void Views_cost_nothing_and_keep_their_place()
    {
        var n = new Net();
        Tensor v = n.G.SliceChannels(n.G.SliceRows(n.Rows, 2, 3), 1, 4);
        Assert.Equal((new Shape(3, 4), 17L, 8, false), (v.Shape, v.Offset, v.RowStride, v.IsContiguous));
        Assert.Same(n.Rows, v.Root);
        n.G.Output("y", n.Rows);
        Graph graph = n.G.Build();
        Assert.Equal(nameof(Copy), Assert.Single(graph.Ops).GetType().Name);
    }

    [Fact]
    public void A_graph_is_built_once_and_does_something()
    {
        var n = new Net();
        Assert.Contains("no output", Assert.Throws<GraphException>(n.G.Build).Message, StringComparison.Ordinal);
        n.G.Output("y", n.Rows);
        n.G.Build();
        Assert.Contains("built already", Assert.Throws<GraphException>(n.G.Build).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Inputs_and_constants_are_checked()
    {
        var n = new Net();
        Assert.Contains("'rows'", Assert.Throws<GraphException>(() => n.G.Input("rows", DType.F32, new Shape(1))).Message,
            StringComparison.Ordinal);
        Assert.Contains("'short'", Assert.Throws<GraphException>(() => n.G.Input("short", DType.F32, new Shape(8, 2), n.Length)).Message,
            StringComparison.Ordinal);
        Assert.Contains("'c'", Assert.Throws<GraphException>(() => n.G.Constant("c", new Shape(2, 2), new float[3])).Message,
            StringComparison.Ordinal);
        Assert.Contains("'none'", Assert.Throws<GraphException>(() => n.G.Scalar("none", 0)).Message, StringComparison.Ordinal);
        Assert.Contains("'wide'", Assert.Throws<GraphException>(() => n.G.Constant(n.G.Weight("wide"), new Shape(3))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Flops_and_weight_bytes_are_counted()
    {
        var n = new Net();
        Tensor x = n.G.Input("tokens", DType.F32, new Shape(20, 8), n.Length);
        Tensor y = n.G.Linear(x, n.G.Weight("wide"));
        n.G.Output("y", n.G.Linear(y, n.G.Weight("square")));
        n.G.Output("z", n.G.Linear(y, n.G.Weight("square")));
        Graph graph = n.G.Build();
        Assert.Equal(2 * 5 * (16 * 8 + 2 * 16 * 16), graph.Flops([5]));
        Assert.Equal((16 * 8 + 16 * 16) * 4, graph.WeightBytes);
    }

    /// <summary>A graph with an input of every kind.</summary>
    private sealed class Net
    {
        public Net()
        {
            var weights = new TestWeights();
            void Add(string name, params int[] dims) => weights.Add(name, DType.F32, new Shape(dims), new float[new Shape(dims).Count]);
            Add("wide", 16, 8);
            Add("square", 16, 16);
            Add("vector", 3);
            Add("norm.weight", 8);
            Add("norm.bias", 8);
            Add("conv.weight", 2, 6, 3, 3);
            Add("up.weight", 6, 2, 2, 2);
            Add("layer.weight", 16, 8);
            G = new GraphBuilder("net", weights);
            Length = G.Scalar("length", 20);
            Rows = G.Input("rows", DType.F32, new Shape(7, 8));
            Map = G.Input("map", DType.F32, new Shape(3, 5, 6));
            Ids = G.Input("ids", DType.I32, new Shape(7));
            One = G.Input("one", DType.F32, new Shape(1));
            OneId = G.Input("one id", DType.I32, new Shape(1));
            Two = G.Input("two", DType.I32, new Shape(2));
            Bits = G.Input("bits", DType.I32, new Shape(7, 1));
            State = G.State("state", DType.F32, new Shape(30, 8));
            Table = G.Constant("table", new Shape(9, 4), new float[36]);
        }

        public GraphBuilder G { get; }
        public RuntimeScalar Length { get; }
        public Tensor Rows { get; }
        public Tensor Map { get; }
        public Tensor Ids { get; }
        public Tensor One { get; }
        public Tensor OneId { get; }
        public Tensor Two { get; }
        public Tensor Bits { get; }
        public Tensor State { get; }
        public Tensor Table { get; }
    }
}
