using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>What holds for queues of every backend: order, fences, failures, and that they do not hold each other up.</summary>
public sealed class QueueTests
{
    private const int Width = 8;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Work_happens_in_the_order_in_which_it_was_enqueued(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var doubling = new Doubling(backend);
        DeviceQueue queue = doubling.Queue;
        // Far more than a queue can hold; what was written is taken at once.
        float[] source = new float[Width], seen = new float[Width];
        var arrivals = new List<(float[] Values, float Expected)>();
        for (int i = 0; i < 50; i++)
        {
            Array.Fill(source, i);
            queue.Write<float>(doubling.X, source);
            for (int j = 0; j < 3; j++)
            {
                queue.Run(doubling.Bound, Cancellation);
                queue.Copy(doubling.Y, 0, doubling.X, 0, Width);
            }
            var arriving = new float[Width];
            queue.BeginRead(doubling.X, arriving);
            arrivals.Add((arriving, 8 * i));
            Array.Fill(source, -1);
        }
        queue.Read<float>(doubling.Y, seen);
        Assert.All(seen, v => Assert.Equal(8 * 49, v));
        Assert.All(arrivals, a => Assert.All(a.Values, v => Assert.Equal(a.Expected, v)));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_large_write_waits_for_what_reads_its_buffer(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var heavy = new Doubling(backend, rows: 20_000);
        float[] ones = new float[heavy.X.Shape.Count], seen = new float[ones.Length];
        Array.Fill(ones, 1);
        heavy.Queue.Write<float>(heavy.X, ones);
        heavy.Queue.Run(heavy.Bound, Cancellation);
        Fence read = heavy.Queue.BeginRead(heavy.Y, seen);
        Array.Fill(ones, 5);
        heavy.Queue.Write<float>(heavy.X, ones);
        read.Wait();
        Assert.All(seen, v => Assert.Equal(2, v));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task A_queue_does_not_wait_for_another(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using Doubling heavy = new(backend, rows: 5_000), light = new(backend);
        using var enough = new CancellationTokenSource();
        // A queue that never runs out of work.
        Task feeding = Task.Run(() =>
        {
            while (!enough.IsCancellationRequested) heavy.Queue.Run(heavy.Bound, Cancellation);
        }, Cancellation);
        var seen = new float[Width];
        await Task.Run(() =>
        {
            light.Queue.Write<float>(light.X, [1, 2, 3, 4, 5, 6, 7, 8]);
            light.Queue.Run(light.Bound, Cancellation);
            light.Queue.Read<float>(light.Y, seen);
        }, Cancellation).WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        enough.Cancel();
        await feeding;
        Assert.Equal([2f, 4, 6, 8, 10, 12, 14, 16], seen);
        Fence end = heavy.Queue.Mark();
        end.Wait();
        Assert.True(end.IsReached);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_queue_waits_for_a_fence_of_another(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using Doubling heavy = new(backend, rows: 20_000), light = new(backend);
        float[] values = new float[heavy.X.Shape.Count], seen = new float[Width];
        Array.Fill(values, 3);
        heavy.Queue.Write<float>(heavy.X, values);
        for (int i = 0; i < 5; i++)
        {
            heavy.Queue.Run(heavy.Bound, Cancellation);
            heavy.Queue.Copy(heavy.Y, 0, heavy.X, 0, values.Length);
        }
        light.Queue.WaitFor(heavy.Queue.Mark());
        light.Queue.Copy(heavy.Y, values.Length - Width, light.X, 0, Width);
        light.Queue.Run(light.Bound, Cancellation);
        light.Queue.Read<float>(light.Y, seen);
        Assert.All(seen, v => Assert.Equal(3 * 64, v));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task A_long_compilation_holds_up_no_run(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var doubling = new Doubling(backend);
        using ManualResetEventSlim begun = new(), end = new();
        var g = new GraphBuilder("slow", new TestWeights());
        Tensor slow = g.Constant("slow", new Shape(1, 4), _ =>
        {
            begun.Set();
            end.Wait(Cancellation);
        });
        g.Output("y", g.Add(g.Input("x", DType.F32, new Shape(1, 4)), slow));
        Graph graph = g.Build();
        Task compiling = Task.Run(() => backend.Compile(graph, Cancellation).Dispose(), Cancellation);
        begun.Wait(Cancellation);
        doubling.Queue.Run(doubling.Bound, Cancellation);
        doubling.Queue.Mark().Wait();
        using (BoundPlan another = doubling.Plan.Bind(doubling.Queue, doubling.Buffers)) doubling.Queue.Run(another, Cancellation);
        doubling.Queue.Mark().Wait();
        Assert.False(compiling.IsCompleted);
        end.Set();
        await compiling;
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_failure_reaches_all_who_wait_behind_it_and_nobody_else(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using DeviceQueue queue = backend.CreateQueue("test");
        var weights = new TestWeights();
        weights.Add("table", DType.F32, new Shape(4, 2), [0, 1, 2, 3, 4, 5, 6, 7]);
        var g = new GraphBuilder("look-up", weights);
        Tensor ids = g.Input("ids", DType.I32, new Shape(2)), y = g.Output("y", g.Embedding(g.Weight("table"), ids));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceBuffer input = backend.Allocate("ids", DType.I32, ids.Shape), output = backend.Allocate("y", DType.F32, y.Shape);
        using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(ids, input).Add(y, output));
        using var other = new Doubling(backend);
        using DeviceBuffer first = backend.Allocate("first", DType.F32, y.Shape), second = backend.Allocate("second", DType.F32, y.Shape);

        Fence before = Look(1, 2);
        queue.Copy(output, 0, first, 0, 4);
        Fence bad = Look(1, 9);
        queue.Copy(output, 0, second, 0, 4);
        Fence behind = Look(2, 3);
        before.Wait();
        Assert.Contains("token id 9", Assert.Throws<GraphException>(bad.Wait).Message, StringComparison.Ordinal);
        Fence after = Look(3, 0);
        Assert.Throws<GraphException>(behind.Wait);
        after.Wait();
        var rows = new float[4];
        queue.Read<float>(output, rows);
        Assert.Equal([6f, 7, 0, 1], rows);
        queue.Read<float>(first, rows);
        Assert.Equal([2f, 3, 4, 5], rows);
        // What was to follow the failure did not happen.
        queue.Read<float>(second, rows);
        Assert.All(rows, v => Assert.Equal(0, v));
        Assert.Throws<GraphException>(bad.Wait);
        before.Wait();
        other.Queue.Run(other.Bound, Cancellation);
        other.Queue.Mark().Wait();

        Fence Look(int a, int b)
        {
            queue.Write<int>(input, [a, b]);
            queue.Run(bound, Cancellation);
            return queue.Mark();
        }
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_cancelled_run_stops_itself_alone(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var doubling = new Doubling(backend);
        DeviceQueue queue = doubling.Queue;
        queue.Write<float>(doubling.X, [1, 1, 1, 1, 1, 1, 1, 1]);
        queue.Write<float>(doubling.Y, [9, 9, 9, 9, 9, 9, 9, 9]);
        queue.Run(doubling.Bound, new CancellationToken(true));
        float[] skipped = new float[Width], done = new float[Width];
        queue.BeginRead(doubling.Y, skipped);
        queue.Run(doubling.Bound, Cancellation);
        queue.Read<float>(doubling.Y, done);
        Assert.All(skipped, v => Assert.Equal(9, v));
        Assert.All(done, v => Assert.Equal(2, v));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Closing_a_queue_frees_those_who_wait(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        // Seconds of work.
        var heavy = new Doubling(backend, rows: 500_000);
        for (int i = 0; i < 60; i++) heavy.Queue.Run(heavy.Bound, Cancellation);
        Fence end = heavy.Queue.Mark();
        Task waiting = Task.Run(() => Assert.Throws<ObjectDisposedException>(end.Wait), Cancellation);
        heavy.Queue.Dispose();
        await waiting;
        Assert.False(end.IsReached);
        heavy.Dispose();
        Assert.Equal(0, backend.Memory.Buffers);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Many_who_wait_for_room_lose_nothing(string name)
    {
        const int callers = 16, each = 12;
        using IBackend backend = TestBackend.OpenNamed(name);
        using var heavy = new Doubling(backend, rows: 50_000);
        DeviceQueue queue = heavy.Queue;
        using DeviceBuffer one = backend.Allocate("one", DType.F32, new Shape(1));
        using DeviceBuffer seen = backend.Allocate("seen", DType.F32, new Shape(callers * each));
        queue.Write<float>(one, [1]);
        for (int i = 0; i < 8; i++) queue.Run(heavy.Bound, Cancellation);
        Thread[] threads = [.. Enumerable.Range(0, callers).Select(caller => new Thread(() =>
        {
            for (int i = 0; i < each; i++)
            {
                queue.Copy(heavy.X, 0, heavy.Y, 0, heavy.X.Shape.Count);
                queue.Copy(one, 0, seen, caller * each + i, 1);
            }
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
        var values = new float[callers * each];
        queue.Read<float>(seen, values);
        Assert.All(values, v => Assert.Equal(1, v));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void What_belongs_elsewhere_is_refused(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name), foreign = TestBackend.OpenNamed(name);
        using Doubling here = new(backend), second = new(backend), there = new(foreign);
        Assert.Throws<GraphException>(() => here.Queue.Run(second.Bound, Cancellation));
        Assert.Throws<GraphException>(() => here.Queue.Reserve(there.Plan));
        Assert.Throws<GraphException>(() => here.Plan.Bind(there.Queue, here.Buffers));
        Assert.Throws<GraphException>(() => here.Queue.WaitFor(there.Queue.Mark()));
        using DeviceBuffer integers = backend.Allocate("i", DType.I32, new Shape(Width));
        Assert.Throws<ArgumentException>(() => here.Queue.Copy(here.X, 0, integers, 0, Width));
        Assert.Throws<ArgumentOutOfRangeException>(() => here.Queue.Copy(here.X, 1, here.Y, 0, Width));
        Assert.Throws<ArgumentOutOfRangeException>(() => here.Queue.Copy(here.X, 0, here.Y, 1, Width));
        Assert.Throws<ArgumentOutOfRangeException>(() => here.Queue.Copy(here.X, 0, here.Y, 0, -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => here.Queue.BeginRead(here.X, new float[Width + 1]));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Tensors_may_be_parts_of_one_buffer(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var doubling = new Doubling(backend);
        using DeviceBuffer packed = backend.Allocate("packed", DType.F32, new Shape(2 * Width + 5));
        float[] values = [.. Enumerable.Range(0, 2 * Width + 5).Select(i => (float)i)];
        doubling.Queue.Write<float>(packed, values);
        PlanBuffers buffers = new PlanBuffers(doubling.Plan.Graph).Add(doubling.Plan.Graph.Inputs[0], packed, 3)
            .Add(doubling.Plan.Graph.Outputs[0], packed, Width + 4);
        using BoundPlan bound = doubling.Plan.Bind(doubling.Queue, buffers);
        doubling.Queue.Run(bound, Cancellation);
        for (int i = 0; i < Width; i++) values[Width + 4 + i] = 2 * values[3 + i];
        var seen = new float[values.Length];
        doubling.Queue.Read<float>(packed, seen);
        Assert.Equal(values, seen);
    }

    /// <summary>y = x + x on a queue of its own.</summary>
    private sealed class Doubling : IDisposable
    {
        /// <param name="backend">Where.</param>
        /// <param name="rows">Rows on the CPU; a virtual GPU takes about as long for a hundredth.</param>
        public Doubling(IBackend backend, int rows = 1)
        {
            if (backend.Name != "cpu") rows = Math.Max(rows / 100, 1);
            Queue = backend.CreateQueue("doubling");
            var g = new GraphBuilder("doubling", new TestWeights());
            Tensor x = g.Input("x", DType.F32, new Shape(rows, Width)), y = g.Output("y", g.Add(x, x));
            Plan = backend.Compile(g.Build(), Cancellation);
            (X, Y) = (backend.Allocate("x", DType.F32, x.Shape), backend.Allocate("y", DType.F32, y.Shape));
            Buffers = new PlanBuffers(Plan.Graph).Add(x, X).Add(y, Y);
            Bound = Plan.Bind(Queue, Buffers);
        }

        public DeviceQueue Queue { get; }

        public ExecutionPlan Plan { get; }

        public PlanBuffers Buffers { get; }

        public BoundPlan Bound { get; }

        public DeviceBuffer X { get; }

        public DeviceBuffer Y { get; }

        public void Dispose()
        {
            Queue.Dispose();
            Bound.Dispose();
            X.Dispose();
            Y.Dispose();
            Plan.Dispose();
        }
    }
}
