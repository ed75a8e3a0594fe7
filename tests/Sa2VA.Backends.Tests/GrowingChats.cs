using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Two chats of at most 64 tokens that grow by a token at a time: its keys and values are written by index into a pool of 128 rows, then it
/// attends to its chat's.
/// </summary>
internal sealed class GrowingChats : IDisposable
{
    public const int Capacity = 64;
    private const int Heads = 4, KvHeads = 2, Dim = 32, Width = KvHeads * Dim;

    private readonly ExecutionPlan _plan;
    private readonly DeviceQueue _queue;
    private readonly BoundPlan _bound;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly DeviceBuffer _q, _k, _v, _row, _length, _table, _keys, _values, _y;
    private readonly int _pageRows;
    private readonly int[][] _pages;
    private readonly int[] _lengths = new int[2];

    /// <param name="backend">Backend.</param>
    /// <param name="type">What keys and values are stored in.</param>
    /// <param name="pageRows">Rows of a page.</param>
    /// <param name="pages">Pages of each chat.</param>
    public GrowingChats(IBackend backend, DType type, int pageRows, int[][] pages)
    {
        (_pageRows, _pages) = (pageRows, pages);
        var g = new GraphBuilder("chats", new TestWeights());
        Tensor q = g.Input("q", DType.F32, new Shape(1, Heads * Dim)), k = g.Input("k", DType.F32, new Shape(1, Width));
        Tensor v = g.Input("v", DType.F32, new Shape(1, Width)), row = g.Input("row", DType.I32, new Shape(1));
        Tensor length = g.Input("length", DType.I32, new Shape(1)), table = g.Input("table", DType.I32, new Shape(1, Capacity / pageRows));
        var pool = new Shape(2 * Capacity, Width);
        Tensor keys = g.State("keys", type, pool), values = g.State("values", type, pool);
        Tensor y = g.Output("y", g.DecodeAttention(q, g.WriteRows(keys, k, row), g.WriteRows(values, v, row), Heads, KvHeads,
            1 / MathF.Sqrt(Dim), new AttentionSegments(length, null, table, pageRows)));
        _plan = backend.Compile(g.Build());
        _queue = backend.CreateQueue("chats");
        var memory = new PlanBuffers(_plan.Graph);
        (_q, _k, _v, _row, _length) = (Allocate(q), Allocate(k), Allocate(v), Allocate(row), Allocate(length));
        (_table, _keys, _values, _y) = (Allocate(table), Allocate(keys), Allocate(values), Allocate(y));
        _bound = _plan.Bind(_queue, memory);

        DeviceBuffer Allocate(Tensor t)
        {
            DeviceBuffer buffer = backend.Allocate(t.Name, t.Type, t.Shape);
            _buffers.Add(buffer);
            memory.Add(t, buffer);
            return buffer;
        }
    }

    /// <summary>Appends a token, the same one for the same seed, and returns its attention.</summary>
    public float[] Step(int chat, int seed)
    {
        int at = _lengths[chat]++;
        _queue.Write<float>(_q, TestValues.Random(seed, Heads * Dim, 3));
        _queue.Write<float>(_k, TestValues.Random(seed + 1, Width, 3));
        _queue.Write<float>(_v, TestValues.Random(seed + 2, Width));
        _queue.Write<int>(_row, [_pages[chat][at / _pageRows] * _pageRows + at % _pageRows]);
        _queue.Write<int>(_length, [_lengths[chat]]);
        _queue.Write<int>(_table, _pages[chat]);
        _queue.Run(_bound);
        var y = new float[Heads * Dim];
        _queue.Read<float>(_y, y);
        return y;
    }

    /// <summary>Chat 1 begins with chat 0's tokens; the page that both would write into is copied.</summary>
    public void Fork(int from, int to)
    {
        _lengths[1] = _lengths[0];
        foreach (DeviceBuffer pool in (DeviceBuffer[])[_keys, _values])
        {
            int count = _pageRows * Width;
            if (pool.Type == DType.F32) Copy<float>(pool, count);
            else Copy<ushort>(pool, count);
        }

        void Copy<T>(DeviceBuffer pool, int count) where T : unmanaged
        {
            var page = new T[count];
            _queue.Read<T>(pool, page, (long)from * count);
            _queue.Write<T>(pool, page, (long)to * count);
        }
    }

    public void Dispose()
    {
        _bound.Dispose();
        _queue.Dispose();
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _plan.Dispose();
    }
}
