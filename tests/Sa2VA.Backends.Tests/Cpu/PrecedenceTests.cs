using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests.Cpu;

/// <summary>Urgent queues go first, and nobody waits for ever.</summary>
public sealed class PrecedenceTests
{
    private static readonly TimeSpan Forever = TimeSpan.FromHours(1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void No_run_begins_while_an_urgent_queue_has_work()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, Patience = Forever });
        using Counter ordinary = new(backend, QueuePriority.Normal, rows: 200), urgent = new(backend, QueuePriority.Urgent, rows: 2_000),
            throughout = new(backend, QueuePriority.Urgent, rows: 20_000);
        using DeviceBuffer before = backend.Allocate("before", DType.F32, ordinary.State.Shape),
            after = backend.Allocate("after", DType.F32, ordinary.State.Shape);
        for (int seen = 0, round = 0; seen < 10; round++)
        {
            Assert.True(round < 200, "Urgent work never lasted from the first look to the second.");
            for (int i = 0; i < 40; i++) ordinary.Count(Cancellation);
            for (int i = 0; i < 20; i++) throughout.Count(Cancellation);
            Fence end = throughout.Queue.Mark();
            // What has been counted when urgent work has begun, and later.
            urgent.Queue.Copy(ordinary.State, 0, before, 0, before.Shape.Count);
            for (int i = 0; i < 8; i++) urgent.Count(Cancellation);
            urgent.Queue.Copy(ordinary.State, 0, after, 0, after.Shape.Count);
            urgent.Queue.Mark().Wait();
            // Where this thread had to wait for a processor, there may have been no urgent work between its commands.
            bool isWhole = !end.IsReached;
            float[] first = new float[1], last = new float[1];
            urgent.Queue.Read<float>(before, first);
            urgent.Queue.Read<float>(after, last);
            ordinary.Queue.Mark().Wait();
            if (!isWhole) continue;
            seen++;
            // One run was in progress; another may have begun between the looks of both.
            Assert.InRange(last[0] - first[0], 0, 2);
        }
    }

    [Fact]
    public async Task A_run_lets_others_go_first_only_for_so_long()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, Patience = TimeSpan.FromMilliseconds(1) });
        using Counter ordinary = new(backend, QueuePriority.Normal, rows: 1), urgent = new(backend, QueuePriority.Urgent, rows: 5_000);
        using var enough = new CancellationTokenSource();
        Task feeding = Task.Run(() =>
        {
            while (!enough.IsCancellationRequested) urgent.Count(CancellationToken.None);
        }, Cancellation);
        for (int i = 0; i < 20; i++) ordinary.Count(Cancellation);
        ordinary.Queue.Mark().Wait();
        enough.Cancel();
        await feeding;
    }

    [Fact]
    public void Urgent_work_that_waits_for_ordinary_work_gives_way()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, Patience = Forever });
        using Counter ordinary = new(backend, QueuePriority.Normal, rows: 50), urgent = new(backend, QueuePriority.Urgent, rows: 50);
        for (int i = 0; i < 20; i++)
        {
            for (int j = 0; j < 5; j++) ordinary.Count(Cancellation);
            urgent.Queue.WaitFor(ordinary.Queue.Mark());
            urgent.Count(Cancellation);
        }
        urgent.Queue.Mark().Wait();
        Assert.Equal((100, 20), (ordinary.Value, urgent.Value));
    }

    [Fact]
    public void A_closed_queue_leaves_no_work_to_wait_for()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 2, Patience = Forever });
        using var ordinary = new Counter(backend, QueuePriority.Normal, rows: 1);
        var urgent = new Counter(backend, QueuePriority.Urgent, rows: 100_000);
        for (int i = 0; i < 40; i++) urgent.Count(Cancellation);
        ordinary.Count(Cancellation);
        urgent.Queue.Dispose();
        ordinary.Queue.Mark().Wait();
        Assert.Equal(1, ordinary.Value);
        urgent.Dispose();
    }

    /// <summary>Counts runs in the first element of its state.</summary>
    private sealed class Counter : IDisposable
    {
        private const int Width = 64;

        private readonly ExecutionPlan _plan;
        private readonly BoundPlan _bound;

        public Counter(CpuBackend backend, QueuePriority priority, int rows)
        {
            Queue = backend.CreateQueue("counter", priority);
            var g = new GraphBuilder("counter", new TestWeights());
            Tensor state = g.State("state", DType.F32, new Shape(rows, Width));
            Tensor all = g.List("all", new Shape(rows), new IndexRange(0, rows));
            Tensor one = g.Constant("one", new Shape(Width), to => to.Fill(1));
            g.WriteRows(state, g.Add(g.Map(state, Activation.Relu), one), all);
            _plan = backend.Compile(g.Build(), Cancellation);
            State = backend.Allocate("state", DType.F32, state.Shape);
            _bound = _plan.Bind(Queue, new PlanBuffers(_plan.Graph).Add(state, State)).Set(all, [.. Enumerable.Range(0, rows)]);
        }

        public DeviceQueue Queue { get; }

        public DeviceBuffer State { get; }

        public float Value
        {
            get
            {
                var value = new float[1];
                Queue.Read<float>(State, value);
                return value[0];
            }
        }

        public void Count(CancellationToken cancellation) => Queue.Run(_bound, cancellation);

        public void Dispose()
        {
            Queue.Dispose();
            _bound.Dispose();
            State.Dispose();
            _plan.Dispose();
        }
    }
}
