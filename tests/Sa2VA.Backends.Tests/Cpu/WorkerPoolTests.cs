using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

public class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Every_part_is_done_once(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach (int parts in (int[])[0, 1, 2, workers, workers + 1, 100])
        {
            var done = new int[parts];
            for (int run = 1; run <= 50; run++)
            {
                pool.Run(new Work(part => Interlocked.Increment(ref done[part])), parts);
                Assert.All(done, times => Assert.Equal(run, times));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void An_exception_of_any_part_reaches_the_caller_and_the_pool_goes_on(int workers)
    {
        using var pool = new WorkerPool(workers);
        foreach (int parts in (int[])[1, 2, 3, 9])
        {
            for (int failing = 0; failing < parts; failing++)
            {
                int done = 0;
                var work = new Work(part =>
                {
                    if (part == failing) throw new InvalidOperationException($"part {part}");
                    Interlocked.Increment(ref done);
                });
                var e = Assert.Throws<InvalidOperationException>(() => pool.Run(work, parts));
                Assert.Equal($"part {failing}", e.Message);

                // The fault belongs to its run alone.
                done = 0;
                pool.Run(new Work(_ => Interlocked.Increment(ref done)), parts);
                Assert.Equal(parts, done);
            }
        }
    }

    [Fact]
    public void An_exception_on_a_thread_of_the_pool_reaches_the_caller()
    {
        using var pool = new WorkerPool(2);
        int caller = Environment.CurrentManagedThreadId;
        using var both = new Barrier(2);
        // The two parts wait for each other, so each thread has one; the one that is not the caller's fails.
        Assert.Throws<InvalidOperationException>(() => pool.Run(new Work(_ =>
        {
            both.SignalAndWait();
            if (Environment.CurrentManagedThreadId != caller) throw new InvalidOperationException();
        }), 2));
    }

    [Fact]
    public void When_several_parts_fail_one_of_their_exceptions_reaches_the_caller()
    {
        foreach (int workers in (int[])[1, 3])
        {
            using var pool = new WorkerPool(workers);
            for (int run = 0; run < 20; run++)
            {
                Action<int> fail = part => throw new InvalidOperationException($"part {part}");
                Assert.StartsWith("part", Assert.Throws<InvalidOperationException>(() => pool.Run(new Work(fail), 40)).Message);
                int done = 0;
                pool.Run(new Work(_ => Interlocked.Increment(ref done)), 40);
                Assert.Equal(40, done);
            }
        }
    }

    [Fact]
    public void A_failed_kernel_leaves_its_plan_usable()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        foreach (int threads in (int[])[1, 3])
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = threads });
            var weights = new TestWeights();
            weights.Add("table", DType.F32, new Shape(4, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
            var g = new GraphBuilder("look-up", weights);
            Tensor ids = g.Input("ids", DType.I32, new Shape(2)), y = g.Output("y", g.Embedding(g.Weight("table"), ids));
            using ExecutionPlan plan = backend.Compile(g.Build(), cancellation);
            using DeviceBuffer input = backend.Allocate("ids", DType.I32, ids.Shape), output = backend.Allocate("y", DType.F32, y.Shape);
            using DeviceQueue queue = backend.CreateQueue("test");
            using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(ids, input).Add(y, output));
            queue.Write<int>(input, [1, 4]);
            queue.Run(bound, cancellation);
            Assert.Contains("token id 4", Assert.Throws<GraphException>(queue.Mark().Wait).Message, StringComparison.Ordinal);
            queue.Write<int>(input, [1, 3]);
            queue.Run(bound, cancellation);
            var rows = new float[4];
            queue.Read<float>(output, rows);
            Assert.Equal([2f, 3f, 6f, 7f], rows);
        }
    }

    [Fact]
    public void A_closed_pool_refuses_work()
    {
        var pool = new WorkerPool(3);
        pool.Dispose();
        pool.Dispose();
        Assert.Throws<ObjectDisposedException>(() => pool.Run(new Work(_ => { }), 2));
    }

    private sealed class Work(Action<int> part) : IParallelWork
    {
        public void Run(int index) => part(index);
    }
}
