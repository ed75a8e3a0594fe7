using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>Computed constants: one memory for all plans, filled when first compiled, freed with the last plan, no managed copy.</summary>
public sealed class ConstantTests
{
    private const int Rows = 512, Width = 1024, Bytes = Rows * Width * sizeof(float);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Plans_share_a_constant_and_the_last_one_frees_it()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        int fills = 0;
        Graph a = Adding("a", "ramp 1", 1), b = Adding("b", "ramp 1", 1), other = Adding("c", "ramp 2", 2);
        Assert.Equal(0, fills);
        ExecutionPlan first = backend.Compile(a, Cancellation), second = backend.Compile(b, Cancellation);
        Assert.Equal(1, fills);
        Assert.Equal(Bytes, backend.Memory.Weights);
        using (backend.Compile(other, Cancellation)) Assert.Equal(2 * Bytes, backend.Memory.Weights);
        Assert.Equal(Bytes, backend.Memory.Weights);

        first.Dispose();
        first.Dispose();
        Assert.Equal(Bytes, backend.Memory.Weights);
        Assert.Equal(7 * 3 + 5, ResultOf(backend, second, 7 * 3, 5));
        second.Dispose();
        Assert.Equal(0, backend.Memory.Weights);

        using ExecutionPlan again = backend.Compile(a, Cancellation);
        Assert.Equal((Bytes, 3), (backend.Memory.Weights, fills));

        Graph Adding(string name, string key, float step)
        {
            var g = new GraphBuilder(name, new TestWeights());
            Tensor ramp = g.Constant(key, new Shape(Rows, Width), to =>
            {
                fills++;
                for (int i = 0; i < to.Length; i++) to[i] = i * step;
            });
            g.Output("y", g.Add(g.Input("x", DType.F32, ramp.Shape), ramp));
            return g.Build();
        }
    }

    [Fact]
    public void Shapes_weights_and_sources_tell_constants_apart()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        TestWeights one = Weights(1), two = Weights(2);
        List<ExecutionPlan> plans = [];
        long held = 0;
        foreach ((TestWeights source, string name, int rows, bool isNew) in (ReadOnlySpan<(TestWeights, string, int, bool)>)
            [(one, "w", 1, true), (one, "w", 1, false), (one, "w", 2, true), (one, "v", 1, true), (two, "w", 1, true)])
        {
            var g = new GraphBuilder("scaled", source);
            Weight weight = g.Weight(name);
            Tensor constant = g.Constant("first element", new Shape(rows, 4), to => to.Fill(First(weight)), weight);
            g.Output("y", g.Add(g.Input("x", DType.F32, constant.Shape), constant));
            plans.Add(backend.Compile(g.Build(), Cancellation));
            if (isNew) held += rows * 4 * sizeof(float);
            Assert.Equal(held, backend.Memory.Weights);
            Assert.Equal(First(weight), ResultOf(backend, plans[^1], 3, 0));
        }
        foreach (ExecutionPlan plan in plans) plan.Dispose();
        Assert.Equal(0, backend.Memory.Weights);

        static TestWeights Weights(float scale)
        {
            var weights = new TestWeights();
            weights.Add("w", DType.F32, new Shape(4), [scale, 0, 0, 0]);
            weights.Add("v", DType.F32, new Shape(4), [10 * scale, 0, 0, 0]);
            return weights;
        }

        static unsafe float First(Weight weight)
        {
            using WeightData data = weight.Source.Open(weight.Name);
            return *(float*)data.Pointer;
        }
    }

    [Fact]
    public void Given_values_are_known_by_what_they_are()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        ExecutionPlan[] plans = [Plan("a", [1, 2, 3, 4]), Plan("b", [1, 2, 3, 4]), Plan("a", [1, 2, 3, 5])];
        Assert.Equal(2 * 4 * sizeof(float), backend.Memory.Weights);
        Assert.Equal([4f, 4f, 5f], plans.Select(p => ResultOf(backend, p, 3, 0)));
        foreach (ExecutionPlan plan in plans) plan.Dispose();

        ExecutionPlan Plan(string name, float[] values)
        {
            var g = new GraphBuilder("values", new TestWeights());
            g.Output("y", g.Add(g.Input("x", DType.F32, new Shape(1, 4)), g.Constant(name, new Shape(1, 4), values)));
            return backend.Compile(g.Build(), Cancellation);
        }
    }

    [Fact]
    public void No_managed_copy_is_made()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        long before = GC.GetAllocatedBytesForCurrentThread();
        var g = new GraphBuilder("large", new TestWeights());
        Tensor constant = g.Constant("ones", new Shape(Rows, Width), to => to.Fill(1));
        g.Output("y", g.Add(g.Input("x", DType.F32, constant.Shape), constant));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Bytes / 16);
        Assert.Equal(Bytes, backend.Memory.Weights);
    }

    [Fact]
    public void A_failed_compilation_holds_nothing()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        var g = new GraphBuilder("failing", new TestWeights());
        Tensor x = g.Add(g.Input("x", DType.F32, new Shape(1, 4)), g.Constant("ones", new Shape(1, 4), to => to.Fill(1)));
        g.Output("y", g.Add(x, g.Constant("broken", new Shape(1, 4), _ => throw new CheckpointException("unreadable"))));
        Graph graph = g.Build();
        for (int i = 0; i < 2; i++)
        {
            Assert.Throws<CheckpointException>(() => backend.Compile(graph, Cancellation));
            Assert.Equal(0, backend.Memory.Weights);
        }
    }

    /// <summary>Runs x + constant, where x is zero but for one element, and gives back that element of the sum.</summary>
    private static float ResultOf(CpuBackend backend, ExecutionPlan plan, int index, float value)
    {
        Tensor input = plan.Graph.Inputs[0], output = plan.Graph.Outputs[0];
        using DeviceBuffer x = backend.Allocate("x", input.Type, input.Shape), y = backend.Allocate("y", output.Type, output.Shape);
        using DeviceQueue queue = backend.CreateQueue("test");
        queue.Write<float>(x, [value], index);
        queue.Run(plan.Bind(queue, new PlanBuffers(plan.Graph).Add(input, x).Add(output, y)), Cancellation);
        var result = new float[1];
        queue.Read<float>(y, result, index);
        return result[0];
    }
}
