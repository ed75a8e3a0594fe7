using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Plans with maps in Z-order give the bits of plans with raster maps, on a virtual GPU.</summary>
public class ZOrderPlanTests
{
    private const int HeadDim = 72;

    /// <summary>Of where it pays, one precision: the rest with <c>./test --full</c>.</summary>
    public static TheoryData<ZOrderUse, Precision> Uses =>
    [
        .. from use in (ZOrderUse[])[ZOrderUse.Wherever, ZOrderUse.WhereItPays]
           from precision in (Precision[])[Precision.Float32, Precision.BFloat16]
           where FullRun.IsAsked || use == ZOrderUse.Wherever || precision == Precision.BFloat16
           select (use, precision),
    ];

    /// <summary>
    /// A trunk of every kind of block: windows of 16, 8 and 4, each with its pooled one, whose heads are those that tensor cores have; then
    /// attention over the whole map, which needs a raster map.
    /// </summary>
    [Theory]
    [MemberData(nameof(Uses))]
    public void A_trunk_of_all_windows(ZOrderUse use, Precision precision)
    {
        var weights = new TestWeights();
        var trunk = new Trunk(weights);
        Graph graph = trunk.Recorded();
        Graph ordered = GraphPasses.ZOrdered(GraphPasses.PatchRows(graph), ZOrderUse.Wherever, _ => false);
        Assert.Equal(6, ordered.Ops.OfType<WindowAttention>().Count(w => w.Output.IsZOrdered));
        Assert.Equal(3, ordered.Ops.OfType<MaxPool2d>().Count(w => w.Output.IsZOrdered));
        Assert.True(ordered.Ops.OfType<PatchRows>().Single().Output.IsZOrdered);

        var image = new byte[64 * 128 * 3];
        new Random(1).NextBytes(image);
        var run = new OpRun(weights, [new GuardedInput(DType.U8, new Shape(64, 128, 3), image)], []);
        SameBits(run, (g, t, _) => trunk.Record(g, t[0]), trunk.Count, use, precision);
    }

    /// <summary>
    /// Products that pool their results: columns that fill a tile and some that do not, maps of one square and of several.
    /// </summary>
    [Theory]
    [InlineData(6, 10, 40, 33)]
    [InlineData(2, 2, 8, 1)]
    [InlineData(16, 16, 72, 288)]
    [InlineData(24, 40, 16, 130)]
    public void A_product_that_is_pooled(int height, int width, int inputs, int outputs)
    {
        var weights = new TestWeights();
        weights.Add("c.weight", DType.BF16, new Shape(outputs, inputs), TestValues.Random(1, outputs * inputs));
        weights.Add("c.bias", DType.F32, new Shape(outputs), TestValues.Random(2, outputs));
        int count = height * width / 4 * outputs;
        // What is not finite goes its way in the smallest map; the others are there for their shapes.
        float[] odds = height == 2 || FullRun.IsAsked ? [0, float.NaN, float.PositiveInfinity, float.NegativeInfinity] : [0];
        foreach (float odd in odds)
        {
            float[] x = TestValues.Random(3, height * width * inputs);
            if (odd != 0) x[inputs + 1] = odd;
            var run = new OpRun(weights, [new GuardedInput(DType.F32, new Shape(height, width, inputs), x)], []);
            SameBits(run, (g, t, _) => g.MaxPool2d(g.Linear(g.Copy(t[0]), g.At("c"), outputs)), count, ZOrderUse.Wherever,
                Precision.BFloat16, isAlikeForNaN: true);
        }
    }

    private static void SameBits(OpRun run, GuardedOp.Recorder record, int count, ZOrderUse use, Precision precision,
        bool isAlikeForNaN = false)
    {
        using IBackend raster = VirtualGpus.Ordering(ZOrderUse.Nowhere, precision), other = VirtualGpus.Ordering(use, precision);
        float[] expected = run.Twice<float>(raster, record, count), found = run.Twice<float>(other, record, count);
        // Which NaN a row has is no matter.
        if (isAlikeForNaN) Assert.Equal(expected, found);
        else OpRun.AssertSameBits(expected, found, $"{use} in {precision}");
    }

    /// <summary>Records the trunk of an image [64, 128, 3]; its result has the last map and one on the way, 72 columns each.</summary>
    private sealed class Trunk
    {
        private readonly TestWeights _weights;
        private int _blocks;

        public Trunk(TestWeights weights)
        {
            _weights = weights;
            Add("tokens", [HeadDim, 3, 7, 7], 0.1f);
            Recorded();
        }

        public int Count { get; private set; }

        public Graph Recorded()
        {
            var g = new GraphBuilder("trunk", _weights);
            Tensor y = g.Output("y", Record(g, g.Input("image", DType.U8, new Shape(64, 128, 3))));
            Count = (int)y.Shape.Count;
            return g.Build();
        }

        public Tensor Record(GraphBuilder g, Tensor image)
        {
            _blocks = 0;
            Tensor pixels = g.Normalize(image, g.Constant("levels", new Shape(3, 256), TestValues.Random(4, 768)));
            Tensor x = g.Conv2d(pixels, g.At("tokens"), HeadDim, 7, 4, 3);
            x = g.Add(x, g.Constant("positions", x.Shape, TestValues.Random(5, (int)x.Shape.Count)));
            x = Block(g, x, 16, 1, false);
            x = Block(g, x, 16, 2, true);
            Tensor early = x = Block(g, x, 8, 2, false);
            x = Block(g, x, 8, 1, true);
            x = Block(g, x, 4, 1, false);
            Tensor n = g.Linear(x, Weight(g, "all", 3 * HeadDim, HeadDim));
            Tensor all = g.FlashAttention(g.SliceChannels(n, 0, HeadDim), g.SliceChannels(n, HeadDim, HeadDim),
                g.SliceChannels(n, 2 * HeadDim, HeadDim), 1, 1, 0.2f);
            x = g.Linear(g.Reshape(all, x.Shape), Weight(g, "after", HeadDim, HeadDim), residual: x);
            x = Block(g, x, 4, 1, true);
            return g.Concat([Rows(g, early), Rows(g, x)]);
        }

        private Tensor Block(GraphBuilder g, Tensor x, int window, int heads, bool pools)
        {
            int into = x.Shape.Last, channels = heads * HeadDim;
            string name = $"block {_blocks++}";
            Tensor n = g.LayerNorm(x, Norm(g, name, into), 1e-6f);
            Tensor qkv = g.Linear(n, Weight(g, $"{name}.qkv", 3 * channels, into));
            Tensor attended = g.WindowAttention(qkv, null, heads, window, pools, 0.2f);
            Tensor shortcut = pools ? g.MaxPool2d(g.Linear(n, Weight(g, $"{name}.short", channels, into))) : x;
            return g.Linear(attended, Weight(g, $"{name}.out", channels, channels), residual: shortcut);
        }

        private static Tensor Rows(GraphBuilder g, Tensor map) =>
            g.Reshape(map, new Shape(checked((int)(map.Shape.Count / HeadDim)), HeadDim));

        private Weight Weight(GraphBuilder g, string name, int rows, int columns)
        {
            Add(name, [rows, columns], 0.2f, isLayer: false);
            return g.Weight(name);
        }

        private WeightScope Norm(GraphBuilder g, string name, int channels)
        {
            Add($"{name}.norm", [channels], 1);
            return g.At($"{name}.norm");
        }

        /// <summary>A weight, and the bias that a layer has.</summary>
        private void Add(string name, int[] shape, float scale, bool isLayer = true)
        {
            string weight = isLayer ? $"{name}.weight" : name;
            if (_weights.TryDescribe(weight, out _)) return;
            var of = new Shape(shape);
            _weights.Add(weight, DType.BF16, of, TestValues.Random(name.Length, (int)of.Count, scale));
            if (isLayer) _weights.Add($"{name}.bias", DType.F32, new Shape(shape[0]), TestValues.Random(name.Length + 1, shape[0]));
        }
    }
}
