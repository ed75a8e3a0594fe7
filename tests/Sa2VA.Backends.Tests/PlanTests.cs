using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>What holds for every plan of every backend: no garbage, lifetimes, cancellation, threads.</summary>
[Collection(MeasuredCollection.Name)]
public class PlanTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    public static TheoryData<string, Precision> BackendsInEitherPrecision => TestBackend.NamesAndPrecisions;

    public static TheoryData<string, Precision> CpuInEitherPrecision => TestBackend.CpuNamesAndPrecisions;

    /// <summary>Of the CPU: a virtual GPU allocates itself, so that another test does this for the CUDA backend.</summary>
    [Theory(SkipTestWithoutData = true)]
    [MemberData(nameof(CpuInEitherPrecision))]
    public void A_warm_run_allocates_nothing_on_any_thread(string name, Precision precision)
    {
        using IBackend backend = TestBackend.OpenNamed(name, precision);
        using var net = new EveryOp(backend);
        for (int i = 0; i < 50; i++) net.Run();
        long mine = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 200; i++) net.Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - mine);

        // Other threads of the test host may allocate at any time, workers may not: the quietest of several tries shows what the runs did.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 20 && least > 0; attempt++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < 50; i++) net.Run();
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }
        Assert.Equal(0, least);
    }

    [Theory]
    [MemberData(nameof(BackendsInEitherPrecision))]
    public void Two_runs_and_two_plans_give_the_same_bits(string name, Precision precision)
    {
        using IBackend backend = TestBackend.OpenNamed(name, precision);
        using var first = new EveryOp(backend);
        using var second = new EveryOp(backend);
        float[] a = [.. first.Run()], b = [.. second.Run()];
        Assert.Equal(a, first.Run());
        Assert.Equal(a, b);
        Assert.All(a, v => Assert.True(float.IsFinite(v)));
    }

    [Theory]
    [InlineData(Precision.Float32)]
    [InlineData(Precision.BFloat16)]
    public void All_configurations_of_a_family_give_the_same_bits(Precision precision)
    {
        foreach (IGrouping<string, TestBackend> family in TestBackend.All.GroupBy(b => b.Family))
        {
            float[]? first = null;
            foreach (TestBackend configuration in family)
            {
                using IBackend backend = configuration.OpenWith(precision);
                using var net = new EveryOp(backend);
                float[] result = [.. net.Run()];
                Assert.Equal(first ??= result, result);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_tensor_may_be_declared_output_twice(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var g = new GraphBuilder("twice", new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(3, 5)), y = g.Map(x, Activation.Relu);
        Tensor[] outputs = [g.Output("a", y), g.Output("b", y), g.Output("row", g.SliceRows(y, 1, 1)), g.Output("input", x)];
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceQueue queue = backend.CreateQueue("test");
        var bound = new PlanBuffers(plan.Graph);
        DeviceBuffer[] buffers = [.. outputs.Append(x).Select(t => backend.Allocate(t.Name, t.Type, t.Shape))];
        foreach ((Tensor tensor, DeviceBuffer buffer) in outputs.Append(x).Zip(buffers)) bound.Add(tensor, buffer);
        float[] values = TestValues.Random(1, 15);
        queue.Write<float>(buffers[^1], values);
        queue.Run(plan.Bind(queue, bound), Cancellation);

        float[] positive = [.. values.Select(v => Math.Max(v, 0))];
        float[][] results = [.. buffers.Select(b => new float[b.Shape.Count])];
        for (int i = 0; i < results.Length; i++) queue.Read<float>(buffers[i], results[i]);
        Assert.Equal([positive, positive, positive[5..10], values], results[..4]);
        foreach (DeviceBuffer buffer in buffers) buffer.Dispose();
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Nothing_is_usable_after_its_end(string name)
    {
        IBackend backend = TestBackend.OpenNamed(name);
        var net = new EveryOp(backend);
        DeviceBuffer buffer = backend.Allocate("b", DType.F32, new Shape(4));
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Read<float>(buffer, new float[4]));
        Assert.Throws<ObjectDisposedException>(() => net.Queue.BeginRead(buffer, new float[4]));
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Write<float>(buffer, new float[4]));
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Copy(buffer, 0, net.Output, 0, 4));
        net.Output.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Run(net.Bound, Cancellation));
        net.Plan.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Run(net.Bound, Cancellation));
        Assert.Throws<ObjectDisposedException>(() => net.Plan.Bind(net.Queue, net.Buffers));
        net.Queue.Dispose();
        net.Queue.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Queue.Write<float>(backend.Allocate("b", DType.F32, new Shape(4)), new float[4]));

        using var other = new EveryOp(backend);
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Queue.Run(other.Bound, Cancellation));
        Assert.Throws<ObjectDisposedException>(() => backend.CreateQueue("q"));
        Assert.Throws<ObjectDisposedException>(() => backend.Allocate("b", DType.F32, new Shape(4)));
        Assert.Throws<ObjectDisposedException>(() => backend.Compile(other.Plan.Graph, Cancellation));
        net.Dispose();
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Buffers_check_types_and_ranges(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using DeviceQueue queue = backend.CreateQueue("test");
        using DeviceBuffer b = backend.Allocate("b", DType.F32, new Shape(2, 3));
        var zeros = new float[6];
        queue.Read<float>(b, zeros);
        Assert.All(zeros, v => Assert.Equal(0, v));
        queue.Write<float>(b, [7, 8], 4);
        queue.Read(b, zeros.AsSpan(0, 1), 5);
        Assert.Equal(8, zeros[0]);
        Assert.Throws<ArgumentException>(() => queue.Write<short>(b, [1]));
        foreach (long offset in (long[])[-1, 5, 6, long.MaxValue, long.MinValue, long.MaxValue - 1])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => queue.Write<float>(b, [1, 2], offset));
            Assert.Throws<ArgumentOutOfRangeException>(() => queue.Read<float>(b, new float[2], offset));
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_run_is_cancelled_between_ops_and_can_be_repeated(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var net = new EveryOp(backend);
        float[] before = [.. net.Run()];
        var untouched = new float[before.Length];
        Array.Fill(untouched, 7);
        net.Queue.Write<float>(net.Output, untouched);
        net.Queue.Run(net.Bound, new CancellationToken(true));
        net.Queue.Read<float>(net.Output, untouched);
        Assert.All(untouched, v => Assert.Equal(7, v));
        Assert.ThrowsAny<OperationCanceledException>(() => backend.Compile(net.Plan.Graph, new CancellationToken(true)));
        Assert.Equal(before, net.Run());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Bindings_of_another_graph_and_incomplete_ones_are_refused(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var a = new EveryOp(backend);
        using var b = new EveryOp(backend);
        Assert.Throws<GraphException>(() => a.Plan.Bind(a.Queue, b.Buffers));
        Assert.Throws<GraphException>(() => b.Queue.Run(a.Bound, Cancellation));
        Assert.Contains("not bound", Assert.Throws<GraphException>(() => a.Plan.Bind(a.Queue, new PlanBuffers(a.Plan.Graph))).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Many_threads_may_run_plans_of_one_backend(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        EveryOp[] nets = [.. Enumerable.Range(0, 4).Select(_ => new EveryOp(backend))];
        float[] expected = [.. nets[0].Run()];
        Parallel.ForEach(nets, net =>
        {
            for (int i = 0; i < 20; i++) Assert.Equal(expected, net.Run());
        });
        foreach (EveryOp net in nets) net.Dispose();
    }
}
