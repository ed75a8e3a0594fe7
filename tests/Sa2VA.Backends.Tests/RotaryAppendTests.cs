using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Rotations of queries and keys and the writes of keys and values, as one op and apart: the same bits in the result and in both states.
/// </summary>
public class RotaryAppendTests
{
    private const int Capacity = 600, Table = 700;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    // A decode step of Sa2VA-1B, of several chats, of Sa2VA-4B, chunks of a prompt; odd sizes.
    [InlineData(1, 14, 2, 32, 128, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(5, 14, 2, 32, 128, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(2, 16, 2, 64, 256, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(130, 14, 2, 32, 128, RotaryPairing.Half, DType.F32, Precision.Float32)]
    [InlineData(512, 3, 1, 20, 40, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(1, 1, 1, 1, 1, RotaryPairing.Adjacent, DType.F32, Precision.Float32)]
    [InlineData(33, 3, 2, 5, 7, RotaryPairing.Adjacent, DType.F16, Precision.Float32)]
    [InlineData(33, 3, 2, 5, 7, RotaryPairing.Half, DType.BF16, Precision.Float32)]
    [InlineData(19, 2, 1, 9, 33, RotaryPairing.Adjacent, DType.BF16, Precision.BFloat16)]
    public void Has_the_bits_of_the_ops_one_by_one(int rows, int heads, int kvHeads, int pairs, int valueWidth, RotaryPairing pairing,
        DType stored, Precision precision)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            var shape = new NewTokens(rows, heads, kvHeads, pairs, valueWidth, pairing, stored);
            using var run = new AppendRun(configuration.ForOneOp(precision), shape);
            // All rows, some of them, none.
            foreach (int count in (int[])[rows, rows / 2, 0])
            {
                run.Run(count);
                Assert.Equal(run.Read("apart y", count), run.Read("fused y", count));
                foreach (string state in (string[])["keys", "values"]) Assert.Equal(run.Read($"apart {state}"), run.Read($"fused {state}"));
            }
            Assert.NotEqual(run.Before("fused keys"), run.Read("fused keys"));
        }
    }

    [Theory]
    [InlineData("rows", Capacity, "600 rows of the state")]
    [InlineData("rows", -2, "600 rows of the state")]
    [InlineData("positions", Table, "700 rows of the table")]
    public void An_index_that_there_is_not_is_refused_before_a_row_is_written(string list, int index, string says)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            using var run = new AppendRun(configuration.Open(), new NewTokens(4, 2, 1, 6, 12, RotaryPairing.Half, DType.BF16));
            run.Write(list, [0, 1, 2, index]);
            Assert.Contains(says, Assert.Throws<GraphException>(() => run.Run(4)).Message, StringComparison.Ordinal);
            Assert.Equal(run.Before("fused keys"), run.Read("fused keys"));
        }
    }

    /// <param name="Rows">Most new tokens.</param>
    /// <param name="Heads">Of queries.</param>
    /// <param name="KvHeads">Of keys.</param>
    /// <param name="Pairs">Half a head's channels.</param>
    /// <param name="ValueWidth">Channels of the values' rows.</param>
    /// <param name="Pairing">Which channels form a pair.</param>
    /// <param name="Stored">The states' type.</param>
    private sealed record NewTokens(int Rows, int Heads, int KvHeads, int Pairs, int ValueWidth, RotaryPairing Pairing, DType Stored)
    {
        public int QWidth => 2 * Heads * Pairs;

        public int KWidth => 2 * KvHeads * Pairs;
    }

    /// <summary>Queries, keys and values are columns of one tensor, as passes leave them; both ways in one graph.</summary>
    private sealed class AppendRun : IDisposable
    {
        private readonly IBackend _backend;
        private readonly ExecutionPlan _plan;
        private readonly DeviceQueue _queue;
        private readonly BoundPlan _bound;
        private readonly RuntimeScalar _count;
        private readonly Dictionary<string, DeviceBuffer> _buffers = [];

        public AppendRun(IBackend backend, NewTokens s)
        {
            _backend = backend;
            var g = new GraphBuilder("append", new TestWeights());
            _count = g.Scalar("count", s.Rows);
            var width = new Shape(s.Rows, s.QWidth + s.KWidth + s.ValueWidth);
            Tensor x = g.Input("x", backend.Precision.BoundaryType(), width, _count);
            Tensor positions = g.Input("positions", DType.I32, new Shape(s.Rows), _count);
            Tensor rows = g.Input("rows", DType.I32, new Shape(s.Rows), _count);
            Tensor cos = g.Constant("cos", new Shape(Table, s.Pairs), TestValues.Random(2, Table * s.Pairs)),
                sin = g.Constant("sin", new Shape(Table, s.Pairs), TestValues.Random(3, Table * s.Pairs));
            Tensor all = g.Copy(x, DType.F32), q = g.SliceChannels(all, 0, s.QWidth), k = g.SliceChannels(all, s.QWidth, s.KWidth);
            Tensor v = g.SliceChannels(all, s.QWidth + s.KWidth, s.ValueWidth);
            List<Tensor> bound = [x, positions, rows];
            foreach (string way in (string[])["fused", "apart"])
            {
                Tensor keys = g.State($"{way} keys", s.Stored, new Shape(Capacity, s.KWidth));
                Tensor values = g.State($"{way} values", s.Stored, new Shape(Capacity, s.ValueWidth));
                bound.AddRange([keys, values]);
                if (way == "apart") g.WriteRows(values, v, rows);
                Tensor y = g.RotaryEmbedding(q, cos, sin, positions, s.Heads, s.Pairing);
                Tensor rotated = g.RotaryEmbedding(k, cos, sin, positions, s.KvHeads, s.Pairing);
                g.WriteRows(keys, rotated, rows);
                if (way == "fused") g.WriteRows(values, v, rows);
                bound.Add(g.Output($"{way} y", g.Copy(y, x.Type)));
            }
            Graph graph = g.Build(), rewritten = GraphPasses.Apply(graph);
            Assert.Single(rewritten.Ops.OfType<RotaryAppend>());
            Assert.Equal((2, 2), (rewritten.Ops.OfType<RotaryEmbedding>().Count(), rewritten.Ops.OfType<WriteRows>().Count()));
            _plan = backend.Compile(graph, Cancellation);
            _queue = backend.CreateQueue("test");
            var buffers = new PlanBuffers(graph);
            foreach (Tensor t in bound)
            {
                _buffers.Add(t.Name, backend.Allocate(t.Name, t.Type, t.Shape));
                buffers.Add(t, _buffers[t.Name]);
                if (t.Type != DType.I32) WriteBytes(t.Name, Before(t.Name));
            }
            var random = new Random(s.Rows);
            int[] places = [.. Enumerable.Range(0, Capacity)];
            random.Shuffle(places);
            Write("rows", [.. places[..s.Rows].Select((row, i) => i % 5 == 3 ? -1 : row)]);
            Write("positions", [.. Enumerable.Range(0, s.Rows).Select(i => i % 7 == 4 ? -1 : random.Next(Table))]);
            _bound = _plan.Bind(_queue, buffers);
        }

        /// <summary>What a buffer of floats begins with: numbers below 1, the same for both ways.</summary>
        public byte[] Before(string name)
        {
            DeviceBuffer buffer = _buffers[name];
            return TestWeights.Bytes(buffer.Type, TestValues.Random(name.Split(' ')[^1].Length, buffer.Shape.Count));
        }

        public void Write(string list, int[] values) => _queue.Write<int>(_buffers[list], values);

        public void Run(int count)
        {
            _queue.Run(_bound.Set(_count, count), Cancellation);
            _queue.Mark().Wait();
        }

        /// <summary>A buffer's bytes, or those of its first rows.</summary>
        public byte[] Read(string name, int? rows = null)
        {
            DeviceBuffer buffer = _buffers[name];
            int count = checked((int)(rows is { } n ? n * buffer.Shape.Last : buffer.Shape.Count));
            if (buffer.Type == DType.F32)
            {
                var floats = new float[count];
                _queue.Read<float>(buffer, floats);
                return TestWeights.Bytes(DType.F32, floats);
            }
            var bytes = new byte[2 * count];
            _queue.Read(buffer, MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan()));
            return bytes;
        }

        public void Dispose()
        {
            _bound.Dispose();
            _queue.Dispose();
            foreach (DeviceBuffer buffer in _buffers.Values) buffer.Dispose();
            _plan.Dispose();
            _backend.Dispose();
        }

        private void WriteBytes(string name, byte[] bytes)
        {
            DeviceBuffer buffer = _buffers[name];
            if (buffer.Type == DType.F32) _queue.Write<float>(buffer, MemoryMarshal.Cast<byte, float>(bytes));
            else _queue.Write<ushort>(buffer, MemoryMarshal.Cast<byte, ushort>(bytes));
        }
    }
}
