using Sa2VA.Core;

namespace Sa2VA.Tests;

public class WriteRowsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(DType.F32, new[] { 5, 0, 7 })]
    [InlineData(DType.BF16, new[] { 3, -1, 2 })]
    [InlineData(DType.F16, new[] { -1, -1, -1 })]
    [InlineData(DType.BF16, new[] { 6, 4 })]
    [InlineData(DType.F32, new int[0])]
    public void Writes_rows_where_the_list_says(DType type, int[] rows)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            using var listed = new ListedRows(configuration.Open(), type);
            byte[] before = Read(listed.Queue, listed.State), expected = [.. before], stored = listed.Stored;
            int width = stored.Length / 3;
            for (int i = 0; i < rows.Length; i++)
                if (rows[i] >= 0) stored.AsSpan(i * width, width).CopyTo(expected.AsSpan(rows[i] * width));
            listed.Run(rows);
            Assert.Equal(expected, Read(listed.Queue, listed.State));
        }
    }

    [Theory]
    [InlineData(8)]
    [InlineData(int.MaxValue)]
    [InlineData(-2)]
    [InlineData(int.MinValue)]
    public void An_index_that_the_state_does_not_have_is_refused_before_a_row_is_written(int index)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            using var listed = new ListedRows(configuration.Open(), DType.BF16);
            byte[] before = Read(listed.Queue, listed.State);
            var e = Assert.Throws<GraphException>(() => listed.Run([1, 2, index]));
            Assert.Contains("8 rows", e.Message, StringComparison.Ordinal);
            Assert.Contains("WriteRows", e.Message, StringComparison.Ordinal);
            Assert.Equal(before, Read(listed.Queue, listed.State));

            // Behind the valid rows it is nobody's.
            listed.Run([1, 2], index);
        }
    }

    [Fact]
    public void Many_rows_find_their_places()
    {
        // Enough of them that workers share them.
        const int Count = 700, Capacity = 900, Width = 64;
        float[] x = TestValues.Random(1, Count * Width);
        int[] places = [.. Enumerable.Range(0, Capacity)];
        new Random(2).Shuffle(places);
        int[] rows = [.. places[..Count].Select((row, i) => i % 100 == 7 ? -1 : row)];
        var expected = new float[Capacity * Width];
        for (int i = 0; i < Count; i++)
            if (rows[i] >= 0) x.AsSpan(i * Width, Width).CopyTo(expected.AsSpan(rows[i] * Width));
        foreach (TestBackend configuration in TestBackend.All)
        {
            using IBackend backend = configuration.Open();
            var g = new GraphBuilder("many", new TestWeights());
            Tensor input = g.Input("x", DType.F32, new Shape(Count, Width)), list = g.Input("rows", DType.I32, new Shape(Count));
            Tensor state = g.State("state", DType.F32, new Shape(Capacity, Width));
            g.WriteRows(state, input, list);
            using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
            using DeviceQueue queue = backend.CreateQueue("test");
            using DeviceBuffer source = backend.Allocate("x", DType.F32, input.Shape), at = backend.Allocate("rows", DType.I32, list.Shape);
            using DeviceBuffer to = backend.Allocate("state", DType.F32, state.Shape);
            using BoundPlan bound = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(input, source).Add(list, at).Add(state, to));
            queue.Write<float>(source, x);
            queue.Write<int>(at, rows);
            queue.Run(bound, Cancellation);
            var written = new float[expected.Length];
            queue.Read<float>(to, written);
            Assert.Equal(expected, written);
        }
    }

    private static (GraphBuilder, RuntimeScalar, Tensor, Tensor) Declare(DType type, int capacity, int width)
    {
        var g = new GraphBuilder("append", new TestWeights());
        RuntimeScalar count = g.Scalar("count", 3);
        return (g, count, g.Input("x", DType.F32, new Shape(3, width), count), g.State("cache", type, new Shape(capacity, width)));
    }

    /// <summary>Up to three rows of width 21 written into a state of eight.</summary>
    private sealed class ListedRows : IDisposable
    {
        private readonly IBackend _backend;
        private readonly ExecutionPlan _plan;
        private readonly BoundPlan _bound;
        private readonly RuntimeScalar _count;
        private readonly DeviceBuffer _x, _rows;

        public ListedRows(IBackend backend, DType type)
        {
            _backend = backend;
            (GraphBuilder g, _count, Tensor x, Tensor state) = Declare(type, 8, 21);
            Tensor rows = g.Input("rows", DType.I32, new Shape(3), _count);
            g.WriteRows(state, x, rows);
            _plan = backend.Compile(g.Build(), Cancellation);
            (_x, _rows) = (backend.Allocate("x", DType.F32, x.Shape), backend.Allocate("rows", DType.I32, rows.Shape));
            State = backend.Allocate("cache", type, state.Shape);
            Queue = backend.CreateQueue("test");
            _bound = _plan.Bind(Queue, new PlanBuffers(_plan.Graph).Add(x, _x).Add(rows, _rows).Add(state, State));
            float[] values = TestValues.Random(1, x.Shape.Count);
            Queue.Write<float>(_x, values);
            byte[] before = new byte[State.Bytes];
            Array.Fill(before, (byte)0x5a);
            Write(Queue, State, before);
            Stored = TestWeights.Bytes(type, values);
        }

        public DeviceQueue Queue { get; }

        public DeviceBuffer State { get; }

        /// <summary>The three rows as the state stores them.</summary>
        public byte[] Stored { get; }

        public void Run(int[] rows, params ReadOnlySpan<int> behind)
        {
            Queue.Write<int>(_rows, [.. rows, .. behind]);
            Queue.Run(_bound.Set(_count, rows.Length), Cancellation);
            Queue.Mark().Wait();
        }

        public void Dispose()
        {
            Queue.Dispose();
            _x.Dispose();
            _rows.Dispose();
            State.Dispose();
            _plan.Dispose();
            _backend.Dispose();
        }
    }

    private static void Write(DeviceQueue queue, DeviceBuffer buffer, byte[] bytes)
    {
        if (buffer.Type.Size() == 4) queue.Write<int>(buffer, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes));
        else queue.Write<short>(buffer, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(bytes));
    }

    private static byte[] Read(DeviceQueue queue, DeviceBuffer buffer)
    {
        var bytes = new byte[buffer.Bytes];
        if (buffer.Type.Size() == 4) queue.Read(buffer, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes.AsSpan()));
        else queue.Read(buffer, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(bytes.AsSpan()));
        return bytes;
    }
}
