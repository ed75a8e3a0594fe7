using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// A graph of a few launches: floats are zeros or noise, weights are whatever shape is asked for, zeros or noise too.
/// </summary>
/// <param name="precision">The precision that it will run in.</param>
/// <param name="isNoise">Whether numbers are noise.</param>
internal sealed class LaunchGraph(Precision precision, bool isNoise = false)
{
    /// <summary>What the bytes of a result are where nothing was written.</summary>
    public const byte Canary = 0x5a;

    private readonly List<(Tensor Tensor, Array Values)> _bound = [];

    public GraphBuilder G { get; } = new("layouts", new AnyWeights(isNoise));

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
    public Weight WideWeight(params int[] shape) => G.Weight($"{AnyWeights.Wide}{string.Join('x', shape)}", shape);

    /// <summary>A table of sines or cosines.</summary>
    public Tensor Angles(int rows, int pairs) => G.Constant("angles", new Shape(rows, pairs), Values<float>(rows * pairs));

    /// <summary>What a picture's levels become.</summary>
    public Tensor Levels => G.Constant("levels", new Shape(3, 256), Values<float>(768));

    /// <summary>Runs it; <paramref name="y"/> is the result.</summary>
    /// <returns>What its states and its result hold then.</returns>
    public byte[][] Run(IBackend backend, Tensor y, bool isFloat)
    {
        if (precision.IsNarrow() && !isFloat && y.Kind == TensorKind.Intermediate && y.Type == DType.F32) y = G.Copy(y, DType.BF16);
        Tensor? result = y.Kind == TensorKind.Intermediate ? Bound(G.Output("y", y)) : null;
        using DeviceQueue queue = backend.CreateQueue("layouts");
        using ExecutionPlan plan = backend.Compile(G.Build());
        var buffers = new PlanBuffers(plan.Graph);
        List<(DeviceBuffer Buffer, bool IsResult)> made = [];
        foreach ((Tensor tensor, Array values) in _bound)
        {
            DeviceBuffer buffer = backend.Allocate(tensor.Name, tensor.Type, tensor.Shape);
            made.Add((buffer, tensor.Kind != TensorKind.Input));
            buffers.Add(tensor, buffer);
            int count = (int)tensor.Shape.Count;
            if (tensor == result) Fill(queue, buffer);
            else if (values is int[] integers) queue.Write<int>(buffer, integers);
            else if (tensor.Type == DType.F32) queue.Write<float>(buffer, Values<float>(count));
            else if (tensor.Type == DType.BF16) queue.Write<ushort>(buffer, Values<ushort>(count));
            else if (tensor.Type == DType.U8) queue.Write<byte>(buffer, Values<byte>(count));
        }
        using (BoundPlan run = plan.Bind(queue, buffers)) queue.Run(run);
        queue.Mark().Wait();
        byte[][] results = [.. made.Where(m => m.IsResult).Select(m => Read(queue, m.Buffer))];
        made.ForEach(m => m.Buffer.Dispose());
        return results;
    }

    private static void Fill(DeviceQueue queue, DeviceBuffer result)
    {
        int count = (int)result.Shape.Count;
        switch (result.Type)
        {
            case DType.F32: Write<float>(); break;
            case DType.BF16: Write<ushort>(); break;
            case DType.I32: Write<int>(); break;
            default: Write<byte>(); break;
        }

        void Write<T>() where T : unmanaged
        {
            var values = new T[count];
            MemoryMarshal.AsBytes(values.AsSpan()).Fill(Canary);
            queue.Write<T>(result, values);
        }
    }

    private static byte[] Read(DeviceQueue queue, DeviceBuffer from)
    {
        int count = (int)from.Shape.Count;
        return from.Type switch
        {
            DType.F32 => Bytes<float>(),
            DType.BF16 => Bytes<ushort>(),
            DType.I32 => Bytes<int>(),
            _ => Bytes<byte>(),
        };

        byte[] Bytes<T>() where T : unmanaged
        {
            var values = new T[count];
            queue.Read<T>(from, values);
            return MemoryMarshal.AsBytes(values).ToArray();
        }
    }

    private T[] Values<T>(int count) where T : unmanaged
    {
        var values = new T[count];
        if (isNoise) Noise(MemoryMarshal.AsBytes(values.AsSpan()), Unsafe.SizeOf<T>());
        return values;
    }

    /// <summary>Numbers of one, two (bfloat16) or four bytes, these of ±0.5 to ±1.</summary>
    private static void Noise(Span<byte> values, int bytes)
    {
        new Random(values.Length).NextBytes(values);
        if (bytes == 1) return;
        for (int n = bytes - 1; n < values.Length; n += bytes)
        {
            values[n] = (byte)(values[n] & 0x80 | 0x3f);
            values[n - 1] &= 0x7f;
        }
    }

    private Tensor Input(DType type, int[] shape) => Bound(G.Input($"x{_bound.Count}", type, new Shape(shape)));

    private Tensor Bound(Tensor tensor)
    {
        _bound.Add((tensor, Array.Empty<float>()));
        return tensor;
    }

    /// <summary>Matrices are BF16 unless their names say otherwise, vectors F32.</summary>
    private sealed unsafe class AnyWeights(bool isNoise) : IWeightSource
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

        public WeightData Open(string name)
        {
            var weight = new Held(_asked[name]);
            if (isNoise) Noise(new Span<byte>(weight.Pointer, (int)weight.Info.Bytes), weight.Info.Type == DType.F32 ? 4 : 2);
            return weight;
        }

        private sealed class Held(WeightInfo info) : WeightData(info)
        {
            private readonly void* _bytes = NativeMemory.AllocZeroed((nuint)info.Bytes);

            public override byte* Pointer => (byte*)_bytes;

            public override void Dispose() => NativeMemory.Free(_bytes);
        }
    }
}
