using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>What holds for every plan: no garbage, budgets, lifetimes, cancellation.</summary>
[Collection(nameof(Alone))]
public class PlanTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AWarmRunAllocatesNothingOnAnyThread(int threads)
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = threads });
        using var net = new Everything(backend);
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

    [Fact]
    public void TwoRunsAndTwoPlansGiveTheSameBits()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        using var first = new Everything(backend);
        using var second = new Everything(backend);
        float[] a = [.. first.Run()], b = [.. second.Run()];
        Assert.Equal(a, first.Run());
        Assert.Equal(a, b);
        Assert.All(a, v => Assert.True(float.IsFinite(v)));
    }

    [Fact]
    public void TheBudgetIsCheckedBeforeAnAllocation()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1, MemoryBudget = 1 << 20 });
        using (DeviceBuffer half = backend.Allocate("half", DType.F32, new Shape(1 << 17)))
        {
            var e = Assert.Throws<DeviceException>(() => backend.Allocate("too much", DType.F32, new Shape(1 << 18)));
            Assert.Contains("'too much'", e.Message, StringComparison.Ordinal);
            // Far more than any machine has: an attempt to allocate would fail otherwise.
            Assert.Throws<DeviceException>(() => backend.Allocate("absurd", DType.I64, new Shape(1 << 20, 1 << 20)));
            Assert.Equal(half.Bytes, backend.Memory.Buffers);
        }
        Assert.Equal(0, backend.Memory.Buffers);
        backend.Allocate("all of it", DType.U8, new Shape(1 << 20)).Dispose();
    }

    [Fact]
    public void ACompilationStaysInsideTheBudget()
    {
        long needed;
        using (var free = new CpuBackend(new CpuOptions { Threads = 2 }))
        {
            free.Compile(Large(), Cancellation).Dispose();
            needed = free.Memory.Total;
        }
        using (var enough = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = needed })) enough.Compile(Large(), Cancellation).Dispose();
        // Whatever part runs out first, what is held never exceeds the budget.
        for (long budget = 1; budget < needed; budget += needed / 23)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = budget });
            Assert.Throws<DeviceException>(() => backend.Compile(Large(), Cancellation));
            Assert.InRange(backend.Memory.Total, 0, budget);
        }

        static Graph Large()
        {
            var weights = new TestWeights();
            weights.Add("w", DType.BF16, new Shape(33, 300), OpRunner.Random(1, 9900));
            weights.Add("b", DType.F32, new Shape(33), OpRunner.Random(2, 33));
            var g = new GraphBuilder("large", weights);
            Tensor x = g.Input("x", DType.F32, new Shape(500, 300));
            g.Output("y", g.Map(g.Linear(g.Add(x, g.Constant("c", new Shape(1, 300), new float[300])), g.Weight("w"), g.Weight("b")), Activation.Relu));
            return g.Build();
        }
    }

    [Fact]
    public void AFailedCompilationLeavesEarlierPlansWhole()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = 64 << 20 });
        using var net = new Everything(backend);
        float[] before = [.. net.Run()];
        var g = new GraphBuilder("huge", new TestWeights());
        g.Output("y", g.Softmax(g.Softmax(g.Input("x", DType.F32, new Shape(1 << 14, 1 << 14)))));
        Assert.Contains("huge", Assert.Throws<DeviceException>(() => backend.Compile(g.Build(), Cancellation)).Message, StringComparison.Ordinal);
        Assert.Equal(before, net.Run());
    }

    [Fact]
    public void OptionsOutOfRangeAndMissingVectorsAreRefused()
    {
        Assert.Throws<DeviceException>(() => new CpuBackend(new CpuOptions { Threads = -1 }));
        Assert.Throws<DeviceException>(() => new CpuBackend(new CpuOptions { Threads = 257 }));
        Assert.Throws<DeviceException>(() => new CpuBackend(new CpuOptions { MemoryBudget = -1 }));
        foreach (int bits in (int[])[64, 128, 256, 512, 1024])
        {
            if (CpuFeatures.Available.Contains((SimdLevel)bits))
            {
                using var backend = new CpuBackend(new CpuOptions { Simd = (SimdLevel)bits, Threads = 1 });
                Assert.Equal(bits, (int)backend.Simd);
            }
            else
                Assert.Contains($"{bits}-bit", Assert.Throws<DeviceException>(() => new CpuBackend(new CpuOptions { Simd = (SimdLevel)bits })).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void NothingIsUsableAfterItsEnd()
    {
        var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        var net = new Everything(backend);
        DeviceBuffer buffer = backend.Allocate("b", DType.F32, new Shape(4));
        buffer.Dispose();
        buffer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => buffer.Read<float>(new float[4]));
        Assert.Throws<ObjectDisposedException>(() => buffer.Write<float>(new float[4]));
        net.Output.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Plan.Run(net.Bindings, Cancellation));
        net.Plan.Dispose();
        Assert.Throws<ObjectDisposedException>(() => net.Plan.Run(net.Bindings, Cancellation));

        using var other = new Everything(backend);
        backend.Dispose();
        backend.Dispose();
        Assert.Throws<ObjectDisposedException>(() => other.Plan.Run(other.Bindings, Cancellation));
        Assert.Throws<ObjectDisposedException>(() => backend.Allocate("b", DType.F32, new Shape(4)));
        Assert.Throws<ObjectDisposedException>(() => backend.Compile(other.Plan.Graph, Cancellation));
        net.Dispose();
    }

    [Fact]
    public void BuffersCheckTypesAndRanges()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using DeviceBuffer b = backend.Allocate("b", DType.F32, new Shape(2, 3));
        var zeros = new float[6];
        b.Read<float>(zeros);
        Assert.All(zeros, v => Assert.Equal(0, v));
        b.Write<float>([7, 8], 4);
        b.Read(zeros.AsSpan(0, 1), 5);
        Assert.Equal(8, zeros[0]);
        Assert.Throws<ArgumentException>(() => b.Write<short>([1]));
        foreach (long offset in (long[])[-1, 5, 6, long.MaxValue, long.MinValue, long.MaxValue - 1])
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => b.Write<float>([1, 2], offset));
            Assert.Throws<ArgumentOutOfRangeException>(() => b.Read<float>(new float[2], offset));
        }
    }

    [Fact]
    public void ARunIsCancelledBetweenOpsAndCanBeRepeated()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        using var net = new Everything(backend);
        float[] before = [.. net.Run()];
        Assert.ThrowsAny<OperationCanceledException>(() => net.Plan.Run(net.Bindings, new CancellationToken(true)));
        Assert.ThrowsAny<OperationCanceledException>(() => backend.Compile(net.Plan.Graph, new CancellationToken(true)));
        Assert.Equal(before, net.Run());
    }

    [Fact]
    public void BindingsOfAnotherGraphAndIncompleteOnesAreRefused()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using var a = new Everything(backend);
        using var b = new Everything(backend);
        Assert.Throws<GraphException>(() => a.Plan.Run(b.Bindings, Cancellation));
        Assert.Contains("not bound", Assert.Throws<GraphException>(() => a.Plan.Run(new PlanBindings(a.Plan.Graph), Cancellation)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ManyThreadsMayRunPlansOfOneBackend()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        Everything[] nets = [.. Enumerable.Range(0, 4).Select(_ => new Everything(backend))];
        float[] expected = [.. nets[0].Run()];
        Parallel.ForEach(nets, net =>
        {
            for (int i = 0; i < 20; i++) Assert.Equal(expected, net.Run());
        });
        foreach (Everything net in nets) net.Dispose();
    }

    /// <summary>A graph with every op, so that what holds for its plan holds for all kernels.</summary>
    private sealed class Everything : IDisposable
    {
        private static readonly TestWeights Weights = Make();
        private readonly List<DeviceBuffer> _buffers = [];
        private readonly float[] _result;

        public Everything(CpuBackend backend)
        {
            var g = new GraphBuilder("everything", Weights);
            RuntimeScalar start = g.Scalar("start", 40), length = g.Scalar("length", 64);
            Tensor image = g.Input("image", DType.U8, new Shape(32, 32, 3)), ids = g.Input("ids", DType.I32, new Shape(16));
            Tensor keys = g.State("keys", DType.F32, new Shape(64, 24)), values = g.State("values", DType.F32, new Shape(64, 24));
            Tensor rounded = g.State("rounded", DType.BF16, new Shape(64, 24));
            Tensor map = g.Conv2d(g.Normalize(image, g.Constant("levels", new Shape(3, 256), OpRunner.Random(9, 768))), g.At("conv"), 24, 3, 2, 1);
            map = g.DepthwiseConv2d(map, g.At("depth"), 3);
            map = g.Add(map, g.WindowAttention(g.Linear(map, g.Weight("qkv")), null, 2, 4, false, 0.3f));
            map = g.Resize(g.MaxPool2d(map), 16, 16, ResizeMode.Bilinear);
            map = g.ConvTranspose2d(g.MaxPool2d(map), g.At("up"), 24, map);
            Tensor shuffled = g.Linear(g.PixelShuffle(map, false), g.Weight("shuffle"));
            Tensor x = g.Add(g.Embedding(g.Weight("table"), ids), g.SliceRows(shuffled, 0, 16));
            Tensor cos = g.Constant("cos", new Shape(64, 6), OpRunner.Random(7, 384)), sin = g.Constant("sin", new Shape(64, 6), OpRunner.Random(8, 384));
            Tensor q = g.RotaryEmbedding(g.RmsNorm(x, g.At("norm"), 1e-6f), cos, sin, 2, RotaryPairing.Half, start);
            Tensor k = g.WriteRows(keys, q, start, length), v = g.WriteRows(values, x, start, length);
            g.WriteRows(rounded, x, start);
            x = g.Add(x, g.FlashAttention(q, k, v, 2, 2, 0.3f, causal: true, start));
            Tensor last = g.LastRow(g.LayerNorm(x, g.At("norm"), 1e-6f, Activation.Gelu));
            last = g.Add(last, g.DecodeAttention(last, k, v, 2, 2, 0.3f));
            Tensor four = g.Concat([last, g.SwiGlu(last, last), g.Multiply(last, last), g.Where(g.SliceChannels(last, 0, 1), last, last)]);
            Tensor scores = g.Softmax(g.MatMul(four, x));
            Tensor chosen = g.Gather(scores, g.MaskSelect(scores, g.SliceChannels(last, 0, 4), false));
            Tensor y = g.Output("y", g.Map(g.Copy(g.Copy(chosen, DType.F16), DType.F32), Activation.Sigmoid));
            Tensor best = g.Output("best", g.ArgMax(four));
            Plan = backend.Compile(g.Build());
            Bindings = new PlanBindings(Plan.Graph).Set(start, 5).Set(length, 21);
            var random = new Random(3);
            foreach (Tensor t in Plan.Graph.Inputs)
            {
                DeviceBuffer b = Allocate(backend, t);
                if (t.Type == DType.U8) b.Write<byte>([.. Enumerable.Range(0, 32 * 32 * 3).Select(_ => (byte)random.Next(256))]);
                if (t.Type == DType.I32) b.Write<int>([.. Enumerable.Range(0, 16).Select(_ => random.Next(10))]);
            }
            Output = Allocate(backend, y);
            Allocate(backend, best);
            _result = new float[y.Shape.Count];
        }

        public ExecutionPlan Plan { get; }

        public PlanBindings Bindings { get; }

        public DeviceBuffer Output { get; }

        public float[] Run()
        {
            Plan.Run(Bindings);
            Output.Read<float>(_result);
            return _result;
        }

        public void Dispose()
        {
            foreach (DeviceBuffer b in _buffers) b.Dispose();
            Plan.Dispose();
        }

        private DeviceBuffer Allocate(CpuBackend backend, Tensor tensor)
        {
            DeviceBuffer b = backend.Allocate(tensor.Name, tensor.Type, tensor.Shape);
            _buffers.Add(b);
            Bindings.Bind(tensor, b);
            return b;
        }

        private static TestWeights Make()
        {
            var weights = new TestWeights();
            int seed = 0;
            void Add(string name, params int[] dims) => weights.Add(name, DType.BF16, new Shape(dims), OpRunner.Random(++seed, new Shape(dims).Count, 0.2f));
            Add("conv.weight", 24, 3, 3, 3);
            Add("conv.bias", 24);
            Add("depth.weight", 24, 1, 3, 3);
            Add("qkv", 72, 24);
            Add("up.weight", 24, 24, 2, 2);
            Add("shuffle", 24, 96);
            Add("table", 10, 24);
            Add("norm.weight", 24);
            Add("norm.bias", 24);
            return weights;
        }
    }
}

/// <summary>Tests that measure the whole process run while no others do.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
