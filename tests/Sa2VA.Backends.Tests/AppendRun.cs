using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <param name="Rows">Most new tokens.</param>
/// <param name="Heads">Of queries.</param>
/// <param name="KvHeads">Of keys.</param>
/// <param name="Pairs">Half a head's channels.</param>
/// <param name="ValueWidth">Channels of the values' rows.</param>
/// <param name="Pairing">Which channels form a pair.</param>
/// <param name="Stored">The states' type.</param>
/// <param name="Depth">Channels of what queries, keys and values are projected from; 0 where they are given.</param>
internal sealed record NewTokens(
    int Rows, int Heads, int KvHeads, int Pairs, int ValueWidth, RotaryPairing Pairing, DType Stored, int Depth = 0)
{
    public int QWidth => 2 * Heads * Pairs;

    public int KWidth => 2 * KvHeads * Pairs;

    public int Width => QWidth + KWidth + ValueWidth;

    /// <summary>Those of the projection.</summary>
    public TestWeights Weights()
    {
        var weights = new TestWeights();
        if (Depth == 0) return weights;
        weights.Add("all.weight", DType.BF16, new Shape(Width, Depth), TestValues.Random(4, Width * Depth, 0.2f));
        weights.Add("all.bias", DType.F32, new Shape(Width), TestValues.Random(5, Width));
        return weights;
    }
}

/// <summary>
/// Queries, keys and values are columns of one tensor, as passes leave them; both ways in one graph. Where they are projected, what is
/// rotated apart is not rounded to 16 bits before.
/// </summary>
internal sealed class AppendRun : IDisposable
{
    /// <summary>Rows of the states, and of the table of angles.</summary>
    public const int Capacity = 600, Table = 700;

    private readonly IBackend _backend;
    private readonly ExecutionPlan _plan;
    private readonly DeviceQueue _queue;
    private readonly BoundPlan _bound;
    private readonly RuntimeScalar _count;
    private readonly Dictionary<string, DeviceBuffer> _buffers = [];

    public AppendRun(IBackend backend, NewTokens s)
    {
        _backend = backend;
        var g = new GraphBuilder("append", s.Weights());
        _count = g.Scalar("count", s.Rows);
        var width = new Shape(s.Rows, s.Depth > 0 ? s.Depth : s.Width);
        Tensor x = g.Input("x", backend.Precision.BoundaryType(), width, _count);
        Tensor positions = g.Input("positions", DType.I32, new Shape(s.Rows), _count);
        Tensor rows = g.Input("rows", DType.I32, new Shape(s.Rows), _count);
        Tensor cos = g.Constant("cos", new Shape(Table, s.Pairs), TestValues.Random(2, Table * s.Pairs)),
            sin = g.Constant("sin", new Shape(Table, s.Pairs), TestValues.Random(3, Table * s.Pairs));
        Tensor given = g.Copy(x, DType.F32);
        List<Tensor> bound = [x, positions, rows];
        using GraphBuilder.BitsScope _ = g.AllowWeightBits(4);
        foreach (string way in (string[])["fused", "apart"])
        {
            Tensor all = s.Depth > 0 ? g.Linear(given, g.At("all"), s.Width) : given;
            // Who takes statistics of it sees to it that it stays F32, and by itself.
            if (s.Depth > 0 && way == "apart") g.Softmax(all);
            Tensor q = g.SliceChannels(all, 0, s.QWidth), k = g.SliceChannels(all, s.QWidth, s.KWidth);
            Tensor v = g.SliceChannels(all, s.QWidth + s.KWidth, s.ValueWidth);
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
        _plan = backend.Compile(graph, TestContext.Current.CancellationToken);
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
        _queue.Run(_bound.Set(_count, count), TestContext.Current.CancellationToken);
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
