using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Lists that travel with a run, memory that is reserved and comes later, and fences that tell: on every backend.</summary>
public sealed class ListTests
{
    private const int Width = 5;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string> Backends => TestBackend.Names;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Each_run_has_the_lists_of_its_time(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var g = new GraphBuilder("lists", new TestWeights());
        Tensor table = g.Input("table", DType.F32, new Shape(200, Width));
        Tensor from = g.List("from", new Shape(2), new IndexRange(-1, 200)), to = g.List("to", new Shape(2), new IndexRange(-1, 200));
        Tensor state = g.State("state", DType.F32, new Shape(200, Width));
        g.WriteRows(state, g.Gather(table, from), to);
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceQueue queue = backend.CreateQueue("test");
        using DeviceBuffer source = backend.Allocate("table", DType.F32, table.Shape);
        using DeviceBuffer target = backend.Allocate("state", DType.F32, state.Shape);
        float[] values = TestValues.Random(1, 200 * Width), expected = new float[values.Length], seen = new float[values.Length];
        queue.Write<float>(source, values);
        using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(table, source).Add(state, target));
        // More runs than a queue holds, the lists changing between them.
        for (int i = 0; i < 100; i++)
        {
            bound.Set(from, [i, 199 - i]).Set(to, [2 * i, i % 3 == 0 ? -1 : 2 * i + 1]);
            queue.Run(bound, Cancellation);
            values.AsSpan(i * Width, Width).CopyTo(expected.AsSpan(2 * i * Width));
            if (i % 3 != 0) values.AsSpan((199 - i) * Width, Width).CopyTo(expected.AsSpan((2 * i + 1) * Width));
        }
        queue.Read<float>(target, seen);
        Assert.Equal(expected, seen);
        Assert.Throws<GraphException>(() => queue.Run(bound.Set(to, [7, 7]), Cancellation));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Integers_are_written_and_gathered_as_they_are(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var g = new GraphBuilder("ids", new TestWeights());
        Tensor ids = g.State("ids", DType.I32, new Shape(8, 1)), x = g.Input("x", DType.I32, new Shape(3, 1));
        Tensor rows = g.List("rows", new Shape(3), new IndexRange(-1, 8)), read = g.List("read", new Shape(3), new IndexRange(0, 8));
        g.WriteRows(ids, x, rows);
        Tensor got = g.Output("got", g.Gather(ids, read));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceQueue queue = backend.CreateQueue("test");
        using DeviceBuffer state = backend.Allocate("ids", DType.I32, ids.Shape), input = backend.Allocate("x", DType.I32, x.Shape),
            output = backend.Allocate("got", DType.I32, got.Shape);
        queue.Write<int>(input, [int.MaxValue, -7, 16_777_217]);
        using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(ids, state).Add(x, input).Add(got, output));
        queue.Run(bound.Set(rows, [6, 0, 3]).Set(read, [3, 6, 0]), Cancellation);
        int[] seen = new int[3];
        queue.Read<int>(output, seen);
        Assert.Equal([16_777_217, int.MaxValue, -7], seen);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void A_listed_row_that_the_table_does_not_have_in_this_run_is_refused(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        var g = new GraphBuilder("rows", new TestWeights());
        Tensor table = g.Input("table", DType.F32, new Shape(8, Width), g.Scalar("rows", 8));
        Tensor read = g.List("read", new Shape(1), new IndexRange(0, 8)), got = g.Output("got", g.Gather(table, read));
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceQueue queue = backend.CreateQueue("test");
        using DeviceBuffer source = backend.Allocate("table", DType.F32, table.Shape);
        using DeviceBuffer output = backend.Allocate("got", DType.F32, got.Shape);
        queue.Write<float>(source, TestValues.Random(1, 8 * Width));
        using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(table, source).Add(got, output));
        queue.Run(bound.Set(plan.Graph.Scalars[0], 6).Set(read, [5]), Cancellation);
        queue.Mark().Wait();
        queue.Run(bound.Set(read, [6]), Cancellation);
        Assert.Contains("index 6", Assert.Throws<GraphException>(() => queue.Mark().Wait()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Reserved_memory_comes_when_asked_for_and_stays_where_it_is(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using DeviceQueue queue = backend.CreateQueue("test");
        long before = backend.Memory.Buffers;
        using (DeviceBuffer pool = backend.Reserve("pool", DType.F32, new Shape(1 << 28)))
        {
            Assert.Equal((0, before), (pool.Bytes, backend.Memory.Buffers));
            Assert.Throws<ArgumentOutOfRangeException>(() => queue.Write<float>(pool, [1]));
            pool.Commit(100);
            pool.Commit(50);
            Assert.Equal((400, before + 400), (pool.Bytes, backend.Memory.Buffers));
            queue.Write<float>(pool, [1, 2, 3], 97);
            pool.Commit(1000);
            float[] seen = new float[5];
            queue.Read<float>(pool, seen, 96);
            Assert.Equal([0, 1, 2, 3, 0], seen);
            Assert.Throws<ArgumentOutOfRangeException>(() => queue.Read<float>(pool, seen, 996));
            Assert.Throws<ArgumentOutOfRangeException>(() => pool.Commit((1L << 28) + 1));
        }
        Assert.Equal(before, backend.Memory.Buffers);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task A_fence_tells_when_it_is_reached(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var gathering = new Gathering(backend);
        DeviceQueue queue = gathering.Queue;
        await queue.Mark().WhenReached().WaitAsync(Cancellation);
        var fences = new List<Task>();
        for (int i = 0; i < 40; i++)
        {
            gathering.Run();
            fences.Add(queue.Mark().WhenReached());
        }
        await Task.WhenAll(fences).WaitAsync(Cancellation);

        gathering.Ask(9);
        gathering.Run();
        Task failing = queue.Mark().WhenReached();
        Assert.Contains("index 9", (await Assert.ThrowsAsync<GraphException>(() => failing.WaitAsync(Cancellation))).Message,
            StringComparison.Ordinal);
        gathering.Ask(1);
        gathering.Run();
        await queue.Mark().WhenReached().WaitAsync(Cancellation);

        queue.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => queue.Mark().WhenReached().WaitAsync(Cancellation));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public async Task Work_that_failed_in_part_is_not_taken_for_whole(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        using var gathering = new Gathering(backend);
        DeviceQueue queue = gathering.Queue;
        Fence begin = queue.Mark();
        gathering.Ask(9);
        gathering.Run();
        // Somebody else is told of the failure in the middle, so that what follows runs again.
        Assert.Throws<GraphException>(() => queue.Mark().Wait());
        gathering.Ask(1);
        gathering.Run();
        Fence end = queue.Mark();
        end.Wait();
        Assert.Throws<GraphException>(() => end.Since(begin).Wait());
        await Assert.ThrowsAsync<GraphException>(() => end.Since(begin).WhenReached().WaitAsync(Cancellation));
        // What was begun behind it is whole.
        begin = end;
        gathering.Run();
        queue.Mark().Since(begin).Wait();
        queue.Mark().Since(queue.Mark()).Wait();
    }

    /// <summary>A row of four by index, and an error for any other index.</summary>
    private sealed class Gathering : IDisposable
    {
        private readonly ExecutionPlan _plan;
        private readonly BoundPlan _bound;
        private readonly DeviceBuffer _rows, _index, _result;

        public Gathering(IBackend backend)
        {
            var g = new GraphBuilder("gathering", new TestWeights());
            Tensor table = g.Input("table", DType.F32, new Shape(4, 2)), index = g.Input("index", DType.I32, new Shape(1));
            Tensor y = g.Output("y", g.Gather(table, index));
            _plan = backend.Compile(g.Build(), Cancellation);
            Queue = backend.CreateQueue("gathering");
            (_rows, _index) = (backend.Allocate("table", DType.F32, table.Shape), backend.Allocate("index", DType.I32, index.Shape));
            _result = backend.Allocate("y", DType.F32, y.Shape);
            _bound = _plan.Bind(Queue, new PlanBuffers(_plan.Graph).Add(table, _rows).Add(index, _index).Add(y, _result));
        }

        public DeviceQueue Queue { get; }

        public void Ask(int row) => Queue.Write<int>(_index, [row]);

        public void Run() => Queue.Run(_bound, Cancellation);

        public void Dispose()
        {
            Queue.Dispose();
            _bound.Dispose();
            _plan.Dispose();
            _rows.Dispose();
            _index.Dispose();
            _result.Dispose();
        }
    }
}
