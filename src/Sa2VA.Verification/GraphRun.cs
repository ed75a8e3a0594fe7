using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>
/// One graph, compiled and bound to buffers of its own. Floating-point results are NaN until the run writes them, so an element that no
/// kernel writes is seen.
/// </summary>
internal sealed class GraphRun : IDisposable
{
    private readonly ExecutionPlan _plan;
    private readonly DeviceQueue _queue;
    private readonly Dictionary<Tensor, DeviceBuffer> _buffers = [];
    private readonly HashSet<DeviceBuffer> _shared = [];
    private readonly CancellationToken _cancellation;
    private BoundPlan? _bound;

    public GraphRun(StageContext context, Graph graph) : this(context.Backend, graph, context.Cancellation)
    {
    }

    public GraphRun(IBackend backend, Graph graph, CancellationToken cancellation)
    {
        _cancellation = cancellation;
        _plan = backend.Compile(graph, _cancellation);
        _queue = backend.CreateQueue(graph.Name);
        try
        {
            foreach (Tensor t in graph.Inputs) Allocate(backend, t);
            foreach (Tensor t in graph.Outputs)
            {
                Allocate(backend, t);
                if (t.Type is not (DType.F32 or DType.BF16)) continue;
                var nan = new float[t.Shape.Count];
                Array.Fill(nan, float.NaN);
                Write(t, nan);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bound to its buffers; for lengths that graphs set by themselves.</summary>
    public BoundPlan Bound
    {
        get
        {
            if (_bound is not null) return _bound;
            var buffers = new PlanBuffers(_plan.Graph);
            foreach ((Tensor tensor, DeviceBuffer buffer) in _buffers) buffers.Add(tensor, buffer);
            return _bound = _plan.Bind(_queue, buffers);
        }
    }

    /// <summary>Binds it anew: lengths and lists have to be set again.</summary>
    public GraphRun Rebind()
    {
        _bound?.Dispose();
        _bound = null;
        return this;
    }

    /// <summary>Fills elements of a float input or state; rounds to BF16 where it is that.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<float> values, long offset = 0)
    {
        if (tensor.Type != DType.BF16)
        {
            _queue.Write(_buffers[tensor], values, offset);
            return this;
        }
        var rounded = new BFloat16[values.Length];
        for (int i = 0; i < values.Length; i++) rounded[i] = BFloat16.FromSingle(values[i]);
        _queue.Write<BFloat16>(_buffers[tensor], rounded, offset);
        return this;
    }

    /// <summary>Fills an I32 input, or its first elements.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<int> values)
    {
        _queue.Write(_buffers[tensor], values);
        return this;
    }

    /// <summary>Fills an 8-bit input.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<byte> values, long offset = 0)
    {
        _queue.Write(_buffers[tensor], values, offset);
        return this;
    }

    /// <summary>Fills an input or a state with numbers of ordinary size: zeros would leave branches of kernels untaken.</summary>
    public GraphRun FillRandom(Tensor tensor)
    {
        var random = new Random(tensor.Name.Length);
        const int Block = 1 << 16;
        long count = tensor.Shape.Count;
        var floats = new float[(int)Math.Min(Block, count)];
        for (int i = 0; i < floats.Length; i++) floats[i] = random.NextSingle() * 2 - 1;
        byte[] levels = [.. floats.Select(f => (byte)(127 * f + 128))];
        for (long at = 0; at < count; at += Block)
        {
            int length = (int)Math.Min(Block, count - at);
            switch (tensor.Type)
            {
                case DType.F32 or DType.BF16: Write(tensor, floats.AsSpan(0, length), at); break;
                case DType.U8: Write(tensor, levels.AsSpan(0, length), at); break;
            }
        }
        return this;
    }

    /// <summary>Sets a length.</summary>
    public GraphRun Set(RuntimeScalar scalar, int value)
    {
        Bound.Set(scalar, value);
        return this;
    }

    /// <summary>Sets a list.</summary>
    public GraphRun Set(Tensor list, ReadOnlySpan<int> values)
    {
        Bound.Set(list, values);
        return this;
    }

    /// <summary>Binds another run's buffer in place of an own one: a state that two graphs continue.</summary>
    public void Share(Tensor tensor, GraphRun other, Tensor theirs)
    {
        if (_bound is not null) throw new InvalidOperationException("The plan is bound already.");
        _buffers[tensor].Dispose();
        _buffers[tensor] = other._buffers[theirs];
        _shared.Add(_buffers[tensor]);
    }

    /// <summary>Runs, and waits until that is done; may be called again with other inputs.</summary>
    /// <param name="times">How often in a row.</param>
    /// <param name="before">Enqueues something first.</param>
    public GraphRun Execute(int times = 1, Action<DeviceQueue>? before = null)
    {
        before?.Invoke(_queue);
        for (int i = 0; i < times; i++) _queue.Run(Bound, _cancellation);
        _queue.Mark().Wait();
        _cancellation.ThrowIfCancellationRequested();
        return this;
    }

    /// <summary>Has the queue copy a tensor, which is then read from there.</summary>
    /// <param name="backend">Where.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="byAnotherQueue">Another queue does it, which waits for this one, and this one for it.</param>
    public void Copy(IBackend backend, Tensor tensor, bool byAnotherQueue)
    {
        DeviceBuffer from = _buffers[tensor], to = backend.Allocate(tensor.Name, tensor.Type, tensor.Shape);
        if (byAnotherQueue)
        {
            using DeviceQueue other = backend.CreateQueue("copies");
            other.WaitFor(_queue.Mark());
            other.Copy(from, 0, to, 0, tensor.Shape.Count);
            _queue.WaitFor(other.Mark());
            // A queue that is closed leaves undone what is enqueued.
            _queue.Mark().Wait();
        }
        else _queue.Copy(from, 0, to, 0, tensor.Shape.Count);
        _buffers[tensor] = to;
        from.Dispose();
    }

    /// <summary>All elements of a float output or state.</summary>
    public float[] Floats(Tensor tensor) => Floats(tensor, 0, tensor.Shape.Count);

    /// <summary>Some elements of a float output or state.</summary>
    public float[] Floats(Tensor tensor, long offset, long count)
    {
        var values = new float[count];
        if (tensor.Type == DType.BF16)
        {
            var stored = new BFloat16[count];
            _queue.Read<BFloat16>(_buffers[tensor], stored, offset);
            return Array.ConvertAll(stored, v => v.ToSingle());
        }
        _queue.Read<float>(_buffers[tensor], values, offset);
        return values;
    }

    /// <summary>All elements of an I32 output.</summary>
    public long[] Integers(Tensor tensor)
    {
        var values = new int[tensor.Shape.Count];
        _queue.Read<int>(_buffers[tensor], values);
        return Array.ConvertAll(values, v => (long)v);
    }

    /// <summary>All elements of an 8-bit output.</summary>
    public byte[] Bytes(Tensor tensor)
    {
        var values = new byte[tensor.Shape.Count];
        _queue.Read<byte>(_buffers[tensor], values);
        return values;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _queue.Dispose();
        foreach (DeviceBuffer buffer in _buffers.Values)
            if (!_shared.Contains(buffer)) buffer.Dispose();
        _buffers.Clear();
        _plan.Dispose();
    }

    private void Allocate(IBackend backend, Tensor tensor) =>
        _buffers.Add(tensor, backend.Allocate(tensor.Name, tensor.Type, tensor.Shape));
}
