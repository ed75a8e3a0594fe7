using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>Runs one recorded op on the CPU backend: inputs bound, output pre-filled with NaN.</summary>
internal sealed class OpRunner(CpuOptions options) : IDisposable
{
    private readonly CpuBackend _backend = new(options);

    /// <summary>Every vector width this machine has, and more than one thread.</summary>
    public static TheoryData<int, int> Configurations()
    {
        var data = new TheoryData<int, int>();
        foreach (SimdLevel level in CpuFeatures.Available)
            foreach (int threads in (int[])[1, 3]) data.Add((int)level, threads);
        return data;
    }

    public static OpRunner For(int bits, int threads) => new(new CpuOptions { Simd = (SimdLevel)bits, Threads = threads });

    public float[] Run(IWeightSource weights, IReadOnlyList<(Shape Shape, float[] Values)> inputs, Func<GraphBuilder, Tensor[], Tensor> record)
    {
        var g = new GraphBuilder("test", weights);
        Tensor[] tensors = [.. inputs.Select((x, i) => g.Input($"x{i}", DType.F32, x.Shape))];
        Tensor output = g.Output("y", record(g, tensors));
        using ExecutionPlan plan = _backend.Compile(g.Build());
        var bindings = new PlanBindings(plan.Graph);
        List<DeviceBuffer> buffers = [];
        for (int i = 0; i < tensors.Length; i++)
        {
            DeviceBuffer b = _backend.Allocate(tensors[i].Name, DType.F32, tensors[i].Shape);
            b.Write<float>(inputs[i].Values);
            bindings.Bind(tensors[i], b);
            buffers.Add(b);
        }
        DeviceBuffer result = _backend.Allocate("y", output.Type, output.Shape);
        buffers.Add(result);
        var values = new float[output.Shape.Count];
        Array.Fill(values, float.NaN);
        result.Write<float>(values);
        bindings.Bind(output, result);
        plan.Run(bindings);
        result.Read<float>(values);
        foreach (DeviceBuffer b in buffers) b.Dispose();
        return values;
    }

    public static float[] Random(int seed, long count, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (long i = 0; i < count; i++) values[i] = (float)(random.NextDouble() * 2 - 1) * scale;
        return values;
    }

    public void Dispose() => _backend.Dispose();
}
