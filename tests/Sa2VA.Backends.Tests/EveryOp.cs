using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>A graph with every op, so that what holds for its plan holds for all kernels.</summary>
internal sealed class EveryOp : IDisposable
{
    private static readonly TestWeights Weights = Make();
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly float[] _result;

    public EveryOp(IBackend backend)
    {
        var g = new GraphBuilder("everything", Weights);
        RuntimeScalar start = g.Scalar("start", 40), length = g.Scalar("length", 64);
        Tensor image = g.Input("image", DType.U8, new Shape(32, 32, 3)), ids = g.Input("ids", DType.I32, new Shape(16));
        Tensor keys = g.State("keys", DType.F32, new Shape(64, 24)), values = g.State("values", DType.F32, new Shape(64, 24));
        Tensor rounded = g.State("rounded", DType.BF16, new Shape(64, 24)), beside = g.State("beside", DType.BF16, new Shape(64, 24));
        Tensor levels = g.Constant("levels", new Shape(3, 256), TestValues.Random(9, 768));
        Tensor picture = g.PillowResize(g.PillowResize(image, 9, 50), 32, 32);
        // A backend may make patch rows of the first, but not of a copy.
        Tensor map = g.Conv2d(g.Normalize(picture, levels), g.At("conv"), 24, 3, 2, 1);
        map = g.Add(map, g.Conv2d(g.Copy(g.Normalize(picture, levels)), g.At("conv"), 24, 3, 2, 1));
        map = g.DepthwiseConv2d(map, g.At("depth"), 3, bias: false);
        map = g.Add(map, g.WindowAttention(g.Linear(map, g.Weight("qkv")), null, 2, 4, false, 0.3f));
        map = g.Resize(g.MaxPool2d(map), 16, 16, ResizeMode.Bilinear);
        map = g.ConvTranspose2d(g.MaxPool2d(map), g.At("up"), 24, map, bias: false);
        Tensor shuffled = g.Linear(g.PixelShuffle(map, false), g.Weight("shuffle"));
        Tensor x = g.Add(g.Embedding(g.Weight("table"), ids), g.SliceRows(shuffled, 0, 16));
        Tensor cos = g.Constant("cos", new Shape(64, 6), TestValues.Random(7, 384)),
            sin = g.Constant("sin", new Shape(64, 6), TestValues.Random(8, 384));
        Tensor q = g.RotaryEmbedding(g.RmsNorm(x, g.At("norm"), 1e-6f), cos, sin, 2, RotaryPairing.Half);
        Tensor after = g.List("after", new Shape(16), new IndexRange(0, 64));
        Tensor k = Valid(g.WriteRows(keys, q, after)), v = Valid(g.WriteRows(values, x, after));
        Tensor Valid(Tensor state) => g.Reshape(state, state.Shape, length);
        // Two sequences of 8 tokens in pages of 8 rows, written and rotated where lists say.
        Tensor rows = g.Input("rows", DType.I32, new Shape(16)), counts = g.Input("counts", DType.I32, new Shape(2));
        var segments = new AttentionSegments(counts, g.Input("offsets", DType.I32, new Shape(3)),
            g.Input("pages", DType.I32, new Shape(2, 4)), 8);
        g.WriteRows(rounded, x, after);
        Tensor turned = g.RotaryEmbedding(x, cos, sin, rows, 2, RotaryPairing.Half);
        Tensor pool = g.WriteRows(rounded, g.RotaryEmbedding(x, cos, sin, rows, 2, RotaryPairing.Half), rows);
        g.WriteRows(beside, x, rows);
        x = g.Add(x, g.FlashAttention(turned, pool, pool, segments, 2, 2, 0.3f, causal: true));
        x = g.Add(x, g.FlashAttention(q, k, v, 2, 2, 0.3f, causal: true, start));
        Tensor lastRow = g.List("last row", new Shape(1), new IndexRange(0, 16));
        Tensor last = g.Gather(g.LayerNorm(x, g.At("norm"), 1e-6f, Activation.Gelu), lastRow);
        last = g.Add(last, g.DecodeAttention(last, k, v, 2, 2, 0.3f));
        Tensor two = g.DecodeAttention(g.SliceRows(x, 7, 2), pool, pool, 2, 2, 0.3f, segments with { QueryOffsets = null });
        last = g.Add(last, g.SliceRows(two, 1, 1));
        Tensor four = g.Concat([last, g.SwiGlu(last, last), g.Multiply(last, last), g.Where(g.SliceChannels(last, 0, 1), last, last)]);
        Tensor scores = g.Softmax(g.MatMul(four, x));
        Tensor chosen = g.Gather(scores, g.MaskSelect(g.SliceChannels(last, 0, 4), scores));
        chosen = g.Add(chosen, g.Gather(g.MatMul(four, x), g.MaskSelect(g.SliceChannels(last, 0, 4))));
        // Two objects of a frame.
        Tensor maps = g.Reshape(g.Repeat(g.Reshape(map, new Shape(256, 24)), 2), new Shape(2, 16, 16, 24));
        maps = g.Resize(g.ConvTranspose2d(g.DepthwiseConv2d(maps, g.At("depth"), 3, bias: false), g.At("up"), 24,
            g.Resize(map, 32, 32, ResizeMode.Bilinear), bias: false), 4, 4, ResizeMode.Bilinear);
        Tensor tokens = g.Concat([g.Repeat(last, 2), g.Reshape(maps, new Shape(32, 24))], segments: 2);
        tokens = g.Concat([tokens, four], [g.Input("first", DType.I32, new Shape(2)), g.Input("second", DType.I32, new Shape(2))]);
        tokens = g.FlashAttention(tokens, tokens, tokens, 2, 2, 0.3f, groups: 2);
        Tensor products = g.MatMul(g.Reshape(g.SliceRows(tokens, 0, 8), new Shape(2, 4, 24)), maps);
        Tensor picked = g.Gather(products, g.MaskSelect(g.SliceChannels(g.SliceRows(tokens, 8, 2), 0, 4)));
        chosen = g.Add(chosen, g.SliceRows(picked, 1, 1));
        Tensor y = g.Output("y", g.Map(g.Copy(g.Copy(chosen, DType.F16), DType.F32), Activation.Sigmoid));
        // What passes put in the place of others.
        Tensor gated = g.SwiGlu(g.Linear(four, g.Weight("gate")), g.Linear(four, g.Weight("up")));
        Tensor[] parts = [.. ((string[])["gate", "up", "value"]).Select(p => g.Linear(gated, g.Weight(p)))];
        Tensor best = g.Output("best", g.ArgMax(g.Add(four, g.FlashAttention(parts[0], parts[1], parts[2], 2, 2, 0.3f))));
        Tensor next = g.Output("next", g.ArgMax(g.Linear(four, g.Weight("table"))));
        Tensor choices = g.Input("choices", DType.I32, new Shape(4, 4));
        Tensor held = g.SetBits(g.Input("held", DType.I32, new Shape(4, 1)), best);
        Tensor left = g.RepetitionPenalty(g.Map(scores, Activation.None, 9), held, g.Input("penalties", DType.I32, new Shape(4)));
        Tensor drawn = g.Output("drawn", g.Sample(left, choices));
        Tensor bits = g.Output("bits", g.PackMasks(four, 4, 8, 5, 40));
        Plan = backend.Compile(g.Build());
        Queue = backend.CreateQueue("everything");
        Buffers = new PlanBuffers(Plan.Graph);
        var random = new Random(3);
        foreach (Tensor t in Plan.Graph.Inputs)
        {
            DeviceBuffer b = Allocate(backend, t);
            if (t.Type == DType.U8) Queue.Write<byte>(b, [.. Enumerable.Range(0, 32 * 32 * 3).Select(_ => (byte)random.Next(256))]);
            if (t.Name == "ids") Queue.Write<int>(b, [.. Enumerable.Range(0, 16).Select(_ => random.Next(10))]);
        }
        Write("rows", [3, 9, -1, 8, 10, 11, 12, 13, 40, 41, 42, 63, 44, 45, 46, 47]);
        Write("counts", [12, 31]);
        Write("first", [34, 0]);
        Write("second", [1, 3]);
        Write("offsets", [0, 8, 16]);
        var drawing = new int[16];
        for (int i = 0; i < 4; i++) new SamplingChoice(1, 9, 0.8f, i * 500_000_000).Write(drawing.AsSpan(4 * i));
        Write("choices", drawing);
        Write("held", [0, -1, 0x0f0f, 3]);
        Write("penalties", [.. Enumerable.Repeat(BitConverter.SingleToInt32Bits(1.3f), 4)]);
        Write("pages", [1, 5, -1, -1, 5, 0, 2, 1]);
        Output = Allocate(backend, y);
        Allocate(backend, best);
        Allocate(backend, next);
        Allocate(backend, drawn);
        Allocate(backend, bits);
        Bound = Plan.Bind(Queue, Buffers).Set(start, 5).Set(length, 21).Set(lastRow, [15])
            .Set(after, [.. Enumerable.Range(5, 16)]);
        _result = new float[y.Shape.Count];

        void Write(string name, params int[] values) =>
            Queue.Write<int>(_buffers[Plan.Graph.Inputs.ToList().FindIndex(t => t.Name == name)], values);
    }

    public ExecutionPlan Plan { get; }

    public DeviceQueue Queue { get; }

    public PlanBuffers Buffers { get; }

    public BoundPlan Bound { get; }

    public DeviceBuffer Output { get; }

    public float[] Run()
    {
        Queue.Run(Bound);
        Queue.Read<float>(Output, _result);
        return _result;
    }

    public void Dispose()
    {
        Bound.Dispose();
        Queue.Dispose();
        foreach (DeviceBuffer b in _buffers) b.Dispose();
        Plan.Dispose();
    }

    private DeviceBuffer Allocate(IBackend backend, Tensor tensor)
    {
        DeviceBuffer b = backend.Allocate(tensor.Name, tensor.Type, tensor.Shape);
        _buffers.Add(b);
        Buffers.Add(tensor, b);
        return b;
    }

    private static TestWeights Make()
    {
        var weights = new TestWeights();
        int seed = 0;
        void Add(string name, params int[] dims) =>
            weights.Add(name, DType.BF16, new Shape(dims), TestValues.Random(++seed, new Shape(dims).Count, 0.2f));
        Add("conv.weight", 24, 3, 3, 3);
        Add("conv.bias", 24);
        Add("depth.weight", 24, 1, 3, 3);
        Add("qkv", 72, 24);
        Add("up.weight", 24, 24, 2, 2);
        Add("shuffle", 24, 96);
        Add("table", 10, 24);
        foreach (string name in (string[])["gate", "up", "value"]) Add(name, 24, 24);
        Add("norm.weight", 24);
        Add("norm.bias", 24);
        return weights;
    }
}
