using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// NaN and infinity are never lost on the way: refused in weights, and visible in what an op gives when its input holds them.
/// </summary>
public sealed class NonFiniteTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    private static readonly float[] Bad = [float.NaN, float.PositiveInfinity, float.NegativeInfinity];

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_row_that_is_not_finite_has_no_largest_element(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        float[] rows = TestValues.Random(1, 5 * 67);
        foreach (float bad in Bad)
            foreach (int at in (int[])[0, 1, 33, 63, 66])
            {
                float[] poisoned = [.. rows];
                poisoned[2 * 67 + at] = bad;
                (int[] whole, int[] found) = (Best(backend, rows), Best(backend, poisoned));
                Assert.Equal(-1, found[2]);
                found[2] = whole[2];
                Assert.Equal(whole, found);
                Assert.DoesNotContain(-1, whole);
            }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_stored_value_that_is_not_finite_is_named(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        foreach (DType type in (DType[])[DType.F32, DType.F16, DType.BF16])
            foreach (float bad in Bad)
                foreach (string weight in (string[])["matrix", "vector", "conv", "filter", "up", "constant"])
                {
                    TestWeights weights = Weights(type, weight, bad, out int index);
                    string message = Assert.Throws<CheckpointException>(() =>
                        backend.Compile(UseOf(weight, weights), Cancellation)).Message;
                    Assert.Contains($"'{weight}.weight'", message, StringComparison.Ordinal);
                    Assert.Contains($" {Finite.NameOf(bad)} at element {index}:", message, StringComparison.Ordinal);
                    Assert.Equal(0, backend.Memory.Weights);
                    backend.Compile(UseOf(weight, Weights(type, "", 0, out _)), Cancellation).Dispose();
                }
    }

    public static TheoryData<string, string> OpsAndBackends()
    {
        var data = new TheoryData<string, string>();
        foreach (TestBackend backend in TestBackend.All)
            foreach (string op in Poisoned.Keys) data.Add(op, backend.Name);
        return data;
    }

    [Theory]
    [MemberData(nameof(OpsAndBackends))]
    public void What_is_not_finite_stays_visible(string op, string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        (int[][] shapes, Func<GraphBuilder, Tensor[], Tensor> record, bool infinities) = Poisoned[op];
        for (int poisoned = 0; poisoned < shapes.Length; poisoned++)
        {
            long count = new Shape(shapes[poisoned]).Count;
            foreach (float bad in infinities ? Bad : [float.NaN])
                foreach (long at in (long[])[0, count / 2, count - 1])
                {
                    Assert.True(IsFinite(Run(backend, shapes, record, -1, 0, 0)), $"{op}: not finite by itself");
                    Assert.False(IsFinite(Run(backend, shapes, record, poisoned, at, bad)),
                        $"{op}: {bad} at {at} of input {poisoned} is lost");
                }
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Squares_that_overflow_do_not_become_zeros(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        foreach (string norm in (string[])["LayerNorm", "RmsNorm"])
            foreach (long at in (long[])[0, 20, 36])
            {
                (int[][] shapes, Func<GraphBuilder, Tensor[], Tensor> record, _) = Poisoned[norm];
                Assert.True(IsFinite(Run(backend, shapes, record, 0, at, 1e15f)), $"{norm}: 1e15 at {at}");
                Assert.False(IsFinite(Run(backend, shapes, record, 0, at, 1e25f)), $"{norm}: 1e25 at {at}");
            }
    }

    /// <summary>Ops that reduce or choose, by comparison above all; sums and products of any kind pass NaN on by themselves.</summary>
    private static readonly Dictionary<string,
        (int[][] Shapes, Func<GraphBuilder, Tensor[], Tensor> Record, bool Infinities)> Poisoned = new()
    {
        ["Softmax"] = ([[3, 37]], (g, t) => g.Softmax(t[0]), false),
        ["Softmax of one"] = ([[1, 1]], (g, t) => g.Softmax(t[0]), true),
        ["MaxPool2d"] = ([[4, 6, 37]], (g, t) => g.MaxPool2d(t[0]), false),
        ["Where"] = ([[1], [1, 20], [1, 20]], (g, t) => g.Add(g.Where(t[0], t[1], t[2]), g.Add(t[1], t[2])), false),
        ["Relu"] = ([[3, 37]], (g, t) => g.Map(t[0], Activation.Relu), true),
        ["Gelu"] = ([[3, 37]], (g, t) => g.Map(t[0], Activation.Gelu), true),
        ["GeluTanh"] = ([[3, 37]], (g, t) => g.Map(t[0], Activation.GeluTanh), true),
        ["Silu"] = ([[3, 37]], (g, t) => g.Map(t[0], Activation.Silu), true),
        ["Sigmoid"] = ([[3, 37]], (g, t) => g.Map(t[0], Activation.Sigmoid), false),
        ["LayerNorm"] = ([[3, 37]], (g, t) => g.LayerNorm(t[0], g.At("norm"), 1e-6f), true),
        ["RmsNorm"] = ([[3, 37]], (g, t) => g.RmsNorm(t[0], g.At("norm"), 1e-6f), true),
        ["FlashAttention"] = ([[40, 24], [70, 24], [70, 24]], (g, t) => g.FlashAttention(t[0], t[1], t[2], 2, 2, 0.3f), false),
        ["DecodeAttention"] = ([[1, 24], [70, 24], [70, 24]], (g, t) => g.DecodeAttention(t[0], t[1], t[2], 2, 2, 0.3f), false),
        ["WindowAttention"] = ([[8, 8, 72]], (g, t) => g.WindowAttention(t[0], null, 2, 4, false, 0.3f), false),
        ["WindowAttention, pooled"] = ([[8, 8, 72]], (g, t) => g.WindowAttention(t[0], null, 2, 4, true, 0.3f), false),
        ["Resize"] = ([[4, 4, 3]], (g, t) => g.Resize(t[0], 16, 16, ResizeMode.Bilinear), true),
        ["Copy to BF16"] = ([[3, 37]], (g, t) => g.Copy(g.Copy(t[0], DType.BF16), DType.F32), true),
        ["Copy to F16"] = ([[3, 37]], (g, t) => g.Copy(g.Copy(t[0], DType.F16), DType.F32), true),
        ["MatMul"] = ([[3, 37], [5, 37]], (g, t) => g.MatMul(t[0], t[1]), true),
        ["RotaryEmbedding"] = ([[5, 24]], (g, t) => g.RotaryEmbedding(t[0], Angles(g, 5, 6), Angles(g, 5, 6), 2, RotaryPairing.Half), true),
    };

    private static Tensor Angles(GraphBuilder g, int rows, int pairs) => g.Constant("angles", new Shape(rows, pairs), to => to.Fill(0.7f));

    private static bool IsFinite(float[] values) => Finite.IndexOfNonFinite(values) < 0;

    private static float[] Run(IBackend backend, int[][] shapes, Func<GraphBuilder, Tensor[], Tensor> record, int poisoned, long at,
        float bad)
    {
        var weights = new TestWeights();
        weights.Add("norm.weight", DType.F32, new Shape(37), TestValues.Random(5, 37));
        weights.Add("norm.bias", DType.F32, new Shape(37), TestValues.Random(6, 37));
        var g = new GraphBuilder("poisoned", weights);
        Tensor[] inputs = [.. shapes.Select((s, i) => g.Input($"x{i}", DType.F32, new Shape(s)))];
        Tensor output = g.Output("y", record(g, inputs));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceQueue queue = backend.CreateQueue("test");
        var bound = new PlanBuffers(plan.Graph);
        List<DeviceBuffer> buffers = [];
        for (int i = 0; i < inputs.Length; i++)
        {
            float[] values = TestValues.Random(i + 1, inputs[i].Shape.Count);
            if (i == poisoned) values[at] = bad;
            DeviceBuffer buffer = backend.Allocate(inputs[i].Name, DType.F32, inputs[i].Shape);
            queue.Write<float>(buffer, values);
            bound.Add(inputs[i], buffer);
            buffers.Add(buffer);
        }
        DeviceBuffer result = backend.Allocate("y", DType.F32, output.Shape);
        buffers.Add(result);
        queue.Run(plan.Bind(queue, bound.Add(output, result)), Cancellation);
        var read = new float[output.Shape.Count];
        queue.Read<float>(result, read);
        foreach (DeviceBuffer buffer in buffers) buffer.Dispose();
        return read;
    }

    private static int[] Best(IBackend backend, float[] rows)
    {
        var g = new GraphBuilder("best", new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(5, 67)), y = g.Output("y", g.ArgMax(x));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceBuffer input = backend.Allocate("x", DType.F32, x.Shape), output = backend.Allocate("y", DType.I32, y.Shape);
        using DeviceQueue queue = backend.CreateQueue("test");
        queue.Write<float>(input, rows);
        queue.Run(plan.Bind(queue, new PlanBuffers(plan.Graph).Add(x, input).Add(y, output)), Cancellation);
        var best = new int[5];
        queue.Read<int>(output, best);
        return best;
    }

    private static TestWeights Weights(DType type, string poisoned, float bad, out int index)
    {
        var weights = new TestWeights();
        int seed = 0, found = -1;
        Add("matrix.weight", 50, 24);
        Add("vector.weight", 24);
        Add("vector.bias", 24);
        Add("conv.weight", 7, 24, 3, 3);
        Add("filter.weight", 24, 1, 3, 3);
        Add("up.weight", 24, 8, 2, 2);
        Add("constant.weight", 1, 24);
        index = found;
        return weights;

        void Add(string name, params int[] dims)
        {
            var shape = new Shape(dims);
            float[] values = TestValues.Random(++seed, shape.Count);
            if (name == poisoned + ".weight") values[found = values.Length * 2 / 3] = bad;
            weights.Add(name, type, shape, values);
        }
    }

    private static Graph UseOf(string weight, TestWeights weights)
    {
        var g = new GraphBuilder(weight, weights);
        Tensor x = g.Input("x", DType.F32, new Shape(6, 6, 24));
        g.Output("y", weight switch
        {
            "matrix" => g.Linear(x, g.Weight("matrix.weight")),
            "vector" => g.LayerNorm(x, g.At("vector"), 1e-6f),
            "conv" => g.Conv2d(x, g.At("conv"), 7, 3, 1, 1, bias: false),
            "filter" => g.DepthwiseConv2d(x, g.At("filter"), 3, bias: false),
            "up" => g.ConvTranspose2d(x, g.At("up"), 8, bias: false),
            _ => g.Add(x, g.Constant(g.Weight("constant.weight"))),
        });
        return g.Build();
    }
}
