using BenchmarkDotNet.Attributes;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Tests;

namespace Sa2VA.Benchmarks;

/// <summary>A compiled graph of one op with random inputs.</summary>
public abstract class OpBenchmark
{
    private readonly List<DeviceBuffer> _buffers = [];
    private CpuBackend? _backend;
    private ExecutionPlan? _plan;
    private DeviceQueue? _queue;
    private BoundPlan? _bound;

    /// <summary>Threads that share the op.</summary>
    [Params(1, 2)]
    public int Threads { get; set; }

    /// <summary>Vector width; the widest unless a class varies it.</summary>
    protected virtual SimdLevel Level => CpuFeatures.Available[^1];

    /// <summary>Records the op.</summary>
    private protected abstract void Record(GraphBuilder g, TestWeights weights);

    /// <summary>Compiles it and fills its inputs.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _backend = new CpuBackend(new CpuOptions { Threads = Threads, Simd = Level });
        var weights = new TestWeights();
        var g = new GraphBuilder(GetType().Name, weights);
        Record(g, weights);
        Graph graph = g.Build();
        _plan = _backend.Compile(graph);
        _queue = _backend.CreateQueue(graph.Name);
        var buffers = new PlanBuffers(graph);
        foreach (Tensor t in graph.Inputs.Concat(graph.Outputs))
        {
            DeviceBuffer buffer = _backend.Allocate(t.Name, t.Type, t.Shape);
            _buffers.Add(buffer);
            buffers.Add(t, buffer);
            if (t.Type == DType.F32) _queue.Write<float>(buffer, Random(t.Name.Length, t.Shape.Count));
        }
        _bound = _plan.Bind(_queue, buffers);
        RunPlan();
        CoresHad.Begin();
    }

    /// <summary>Gives everything back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        CoresHad.End(this);
        _queue?.Dispose();
        foreach (DeviceBuffer b in _buffers) b.Dispose();
        _buffers.Clear();
        _plan?.Dispose();
        _backend?.Dispose();
    }

    /// <summary>One run of the plan.</summary>
    protected void RunPlan()
    {
        _queue!.Run(_bound!);
        _queue.Mark().Wait();
    }

    private protected static Weight AddWeight(GraphBuilder g, TestWeights weights, string name, DType type, params ReadOnlySpan<int> dims)
    {
        var shape = new Shape(dims);
        weights.Add(name, type, shape, Random(name.Length, shape.Count));
        return g.Weight(name);
    }

    private static float[] Random(int seed, long count)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (long i = 0; i < count; i++) values[i] = random.NextSingle() * 2 - 1;
        return values;
    }
}
