using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>What is the CPU backend's own: options, vector widths, the memory budget.</summary>
public class CpuBackendTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_budget_is_checked_before_an_allocation()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1, MemoryBudget = 1 << 20 });
        using (DeviceBuffer half = backend.Allocate("half", DType.F32, new Shape(1 << 17)))
        {
            var e = Assert.Throws<DeviceMemoryException>(() => backend.Allocate("too much", DType.F32, new Shape(1 << 18)));
            Assert.Contains("'too much'", e.Message, StringComparison.Ordinal);
            // Far more than any machine has: an attempt to allocate would fail otherwise.
            Assert.Throws<DeviceMemoryException>(() => backend.Allocate("absurd", DType.I64, new Shape(1 << 20, 1 << 20)));
            Assert.Equal(half.Bytes, backend.Memory.Buffers);
        }
        Assert.Equal(0, backend.Memory.Buffers);
        backend.Allocate("all of it", DType.U8, new Shape(1 << 20)).Dispose();
    }

    [Fact]
    public void A_compilation_stays_inside_the_budget()
    {
        long needed;
        using (var free = new CpuBackend(new CpuOptions { Threads = 2 }))
        {
            Prepare(free);
            needed = free.Memory.Total;
        }
        using (var enough = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = needed })) Prepare(enough);
        // Whatever part runs out first, what is held never exceeds the budget.
        for (long budget = 1; budget < needed; budget += needed / 23)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = budget });
            Assert.Throws<DeviceMemoryException>(() => Prepare(backend));
            Assert.InRange(backend.Memory.Total, 0, budget);
        }

        static void Prepare(CpuBackend backend) => backend.CreateQueue("test").Reserve(backend.Compile(Large(), Cancellation));

        static Graph Large()
        {
            var weights = new TestWeights();
            weights.Add("w", DType.BF16, new Shape(33, 300), TestValues.Random(1, 9900));
            weights.Add("b", DType.F32, new Shape(33), TestValues.Random(2, 33));
            var g = new GraphBuilder("large", weights);
            Tensor x = g.Input("x", DType.F32, new Shape(500, 300));
            g.Output("y", g.Map(g.Linear(g.Add(x, g.Constant("c", new Shape(1, 300), new float[300])), g.Weight("w"), g.Weight("b")),
                Activation.Relu));
            return g.Build();
        }
    }

    [Fact]
    public void An_arena_that_grows_costs_what_a_large_one_does()
    {
        long needed = HeldAfter(0, 500);
        Assert.True(HeldAfter(0, 100) is var little && little > 0 && little < needed);
        Assert.Equal(needed, HeldAfter(needed, 100, 500));
        Assert.Equal(needed, HeldAfter(needed, 500, 100));

        static long HeldAfter(long budget, params ReadOnlySpan<int> plans)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = 1, MemoryBudget = budget });
            using DeviceQueue queue = backend.CreateQueue("test");
            foreach (int rows in plans)
            {
                var g = new GraphBuilder("rows", new TestWeights());
                g.Output("y", g.Softmax(g.Softmax(g.Input("x", DType.F32, new Shape(rows, 64)))));
                using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
                queue.Reserve(plan);
            }
            return backend.Memory.Total;
        }
    }

    [Fact]
    public void An_arena_that_cannot_grow_leaves_earlier_plans_whole()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, MemoryBudget = 64 << 20 });
        using var net = new EveryOp(backend);
        float[] before = [.. net.Run()];
        var g = new GraphBuilder("huge", new TestWeights());
        g.Output("y", g.Softmax(g.Softmax(g.Input("x", DType.F32, new Shape(1 << 14, 1 << 14)))));
        using ExecutionPlan huge = backend.Compile(g.Build(), Cancellation);
        Assert.Contains("huge", Assert.Throws<DeviceMemoryException>(() => net.Queue.Reserve(huge)).Message, StringComparison.Ordinal);
        Assert.Equal(before, net.Run());
    }

    [Fact]
    public void Options_out_of_range_and_missing_vectors_are_refused()
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
                Assert.Contains($"{bits}-bit",
                    Assert.Throws<DeviceException>(() => new CpuBackend(new CpuOptions { Simd = (SimdLevel)bits })).Message,
                    StringComparison.Ordinal);
        }
    }
}
