using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>
/// One graph, compiled and bound to buffers of its own. Floating-point results are NaN until the run writes them, so an element that no
/// kernel writes is seen.
/// </summary>
internal sealed class GraphRun : IDisposable
{
    private readonly ExecutionPlan _plan;
    private readonly Dictionary<Tensor, DeviceBuffer> _buffers = [];
    private readonly CancellationToken _cancellation;

    public GraphRun(StageContext context, Graph graph) : this(context.Backend, graph, context.Cancellation)
    {
    }

    public GraphRun(IBackend backend, Graph graph, CancellationToken cancellation)
    {
        _cancellation = cancellation;
        _plan = backend.Compile(graph, _cancellation);
        Bindings = new PlanBindings(graph);
        try
        {
            foreach (Tensor t in graph.Inputs) Allocate(backend, t);
            foreach (Tensor t in graph.Outputs)
            {
                DeviceBuffer buffer = Allocate(backend, t);
                if (t.Type != DType.F32) continue;
                var nan = new float[t.Shape.Count];
                Array.Fill(nan, float.NaN);
                buffer.Write<float>(nan);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>For lengths and graphs that set their own.</summary>
    public PlanBindings Bindings { get; }

    /// <summary>Fills an input or the first elements of a state.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<float> values, long offset = 0)
    {
        _buffers[tensor].Write(values, offset);
        return this;
    }

    /// <summary>Fills an I32 input, or its first elements.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<int> values)
    {
        _buffers[tensor].Write(values);
        return this;
    }

    /// <summary>Fills an 8-bit input.</summary>
    public GraphRun Write(Tensor tensor, ReadOnlySpan<byte> values, long offset = 0)
    {
        _buffers[tensor].Write(values, offset);
        return this;
    }

    /// <summary>Fills elements of a BF16 state with values that bf16 represents.</summary>
    public GraphRun WriteBFloat16(Tensor tensor, ReadOnlySpan<float> values, long offset)
    {
        var rounded = new BFloat16[values.Length];
        for (int i = 0; i < values.Length; i++) rounded[i] = BFloat16.FromSingle(values[i]);
        _buffers[tensor].Write<BFloat16>(rounded, offset);
        return this;
    }

    /// <summary>Sets a length.</summary>
    public GraphRun Set(RuntimeScalar scalar, int value)
    {
        Bindings.Set(scalar, value);
        return this;
    }

    /// <summary>Binds another run's buffer in place of an own one: a state that two graphs continue.</summary>
    public void Share(Tensor tensor, GraphRun other, Tensor theirs)
    {
        Bindings.Bind(tensor, other._buffers[theirs]);
        _buffers[tensor].Dispose();
        _buffers.Remove(tensor);
    }

    /// <summary>Runs once; may be called again with other inputs.</summary>
    public GraphRun Execute()
    {
        _plan.Run(Bindings, _cancellation);
        return this;
    }

    /// <summary>All elements of an F32 output or state.</summary>
    public float[] Floats(Tensor tensor) => Floats(tensor, 0, tensor.Shape.Count);

    /// <summary>Some elements of an F32 output or state.</summary>
    public float[] Floats(Tensor tensor, long offset, long count)
    {
        var values = new float[count];
        _buffers[tensor].Read<float>(values, offset);
        return values;
    }

    /// <summary>All elements of an I32 output.</summary>
    public long[] Integers(Tensor tensor)
    {
        var values = new int[tensor.Shape.Count];
        _buffers[tensor].Read<int>(values);
        return Array.ConvertAll(values, v => (long)v);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers.Values) buffer.Dispose();
        _buffers.Clear();
        _plan.Dispose();
    }

    private DeviceBuffer Allocate(IBackend backend, Tensor tensor)
    {
        DeviceBuffer buffer = backend.Allocate(tensor.Name, tensor.Type, tensor.Shape);
        _buffers.Add(tensor, buffer);
        Bindings.Bind(tensor, buffer);
        return buffer;
    }
}
