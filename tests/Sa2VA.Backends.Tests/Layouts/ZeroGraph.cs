using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// A graph of which nothing but its launches matters: floats are zeros, weights are whatever shape is asked for, zeros too.
/// </summary>
internal sealed class ZeroGraph(Precision precision)
{
    private readonly List<(Tensor Tensor, Array Values)> _bound = [];

    public GraphBuilder G { get; } = new("layouts", new ZeroWeights());

    /// <summary>Floats of the precision's own storage.</summary>
    public Tensor Rows(params int[] shape) => precision.IsNarrow() ? G.Copy(Input(DType.BF16, shape), DType.F32) : Floats(shape);

    /// <summary>Floats of four bytes.</summary>
    public Tensor Floats(params int[] shape) => Input(DType.F32, shape);

    public Tensor Bytes(params int[] shape) => Input(DType.U8, shape);

    public Tensor Ints(Shape shape, Func<int, int> value)
    {
        int[] values = [.. Enumerable.Range(0, (int)shape.Count).Select(value)];
        Tensor x = G.Input($"x{_bound.Count}", DType.I32, shape);
        _bound.Add((x, values));
        return x;
    }

    /// <summary>How so many rows draw.</summary>
    public Tensor Choices(int rows)
    {
        var choice = new int[SamplingChoice.Count];
        new SamplingChoice(1, 50, 0.9f, 1_000_000_000).Write(choice);
        return Ints(new Shape(rows, choice.Length), i => choice[i % choice.Length]);
    }

    /// <summary>A state of floats.</summary>
    public Tensor State(DType type, params int[] shape) => Bound(G.State($"x{_bound.Count}", type, new Shape(shape)));

    /// <summary>A matrix in BF16, a vector in F32.</summary>
    public Weight Weight(params int[] shape) => G.Weight($"{string.Join('x', shape)}", shape);

    /// <summary>A matrix in F32.</summary>
    public Weight WideWeight(params int[] shape) => G.Weight($"{ZeroWeights.Wide}{string.Join('x', shape)}", shape);

    /// <summary>A table of sines or cosines.</summary>
    public Tensor Angles(int rows, int pairs) => G.Constant("angles", new Shape(rows, pairs), new float[rows * pairs]);

    /// <summary>What a picture's levels become.</summary>
    public Tensor Levels => G.Constant("levels", new Shape(3, 256), new float[768]);

    /// <summary>Runs it; <paramref name="y"/> is the result.</summary>
    public void Run(IBackend backend, Tensor y, bool isFloat)
    {
        if (precision.IsNarrow() && !isFloat && y.Kind == TensorKind.Intermediate && y.Type == DType.F32) y = G.Copy(y, DType.BF16);
        if (y.Kind == TensorKind.Intermediate) Bound(G.Output("y", y));
        using DeviceQueue queue = backend.CreateQueue("layouts");
        using ExecutionPlan plan = backend.Compile(G.Build());
        var buffers = new PlanBuffers(plan.Graph);
        List<DeviceBuffer> made = [];
        foreach ((Tensor tensor, Array values) in _bound)
        {
            made.Add(backend.Allocate(tensor.Name, tensor.Type, tensor.Shape));
            buffers.Add(tensor, made[^1]);
            int count = (int)tensor.Shape.Count;
            if (values is int[] integers) queue.Write<int>(made[^1], integers);
            else if (tensor.Type == DType.F32) queue.Write<float>(made[^1], new float[count]);
            else if (tensor.Type == DType.BF16) queue.Write<ushort>(made[^1], new ushort[count]);
            else if (tensor.Type == DType.U8) queue.Write<byte>(made[^1], new byte[count]);
        }
        using (BoundPlan run = plan.Bind(queue, buffers)) queue.Run(run);
        queue.Mark().Wait();
        made.ForEach(b => b.Dispose());
    }

    private Tensor Input(DType type, int[] shape) => Bound(G.Input($"x{_bound.Count}", type, new Shape(shape)));

    private Tensor Bound(Tensor tensor)
    {
        _bound.Add((tensor, Array.Empty<float>()));
        return tensor;
    }

    /// <summary>Matrices are BF16 unless their names say otherwise, vectors F32.</summary>
    private sealed unsafe class ZeroWeights : IWeightSource
    {
        public const string Wide = "wide ";

        private readonly Dictionary<string, WeightInfo> _asked = [];

        public bool TryDescribe(string name, out WeightInfo info) => _asked.TryGetValue(name, out info);

        public bool TryDescribe(string name, Shape needed, out WeightInfo info)
        {
            _asked[name] = info = new WeightInfo(name, IsWide(name, needed) ? DType.F32 : DType.BF16, needed);
            return true;
        }

        private static bool IsWide(string name, Shape shape) => shape.Rank == 1 || name.StartsWith(Wide, StringComparison.Ordinal);

        public WeightData Open(string name) => new Zeros(_asked[name]);

        private sealed class Zeros(WeightInfo info) : WeightData(info)
        {
            private readonly void* _bytes = NativeMemory.AllocZeroed((nuint)info.Bytes);

            public override byte* Pointer => (byte*)_bytes;

            public override void Dispose() => NativeMemory.Free(_bytes);
        }
    }
}
