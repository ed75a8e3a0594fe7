using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>An input of an op under test: floats, 32-bit integers or bytes.</summary>
internal sealed record GuardedInput(DType Type, Shape Shape, Array Values);

/// <summary>A recorded op with its inputs, to run on a backend between guards (<see cref="GuardedOp"/>).</summary>
internal sealed class OpRun(
    IWeightSource weights, IReadOnlyList<GuardedInput> inputs, IReadOnlyList<(string Name, int Max, int Value)> scalars)
{
    private const float Canary = 12345.5f;
    private const int CanaryCount = 96;

    public IWeightSource Weights => weights;

    public IReadOnlyList<GuardedInput> Inputs => inputs;

    /// <summary>The same on other numbers.</summary>
    public OpRun With(IWeightSource otherWeights, IReadOnlyList<GuardedInput> otherInputs) => new(otherWeights, otherInputs, scalars);

    /// <summary>The result's valid elements, after all guards have been looked at; a second run must give the same.</summary>
    public T[] Twice<T>(IBackend backend, GuardedOp.Recorder record, int count) where T : unmanaged =>
        Run<T>(backend, record, count, again: true);

    /// <summary>The result's valid elements, after all guards have been looked at.</summary>
    public T[] Once<T>(IBackend backend, GuardedOp.Recorder record, int count) where T : unmanaged =>
        Run<T>(backend, record, count, again: false);

    /// <summary>The result's valid elements, after all guards have been looked at; twice, but where that would show nothing.</summary>
    public T[] On<T>(TestBackend configuration, Precision precision, GuardedOp.Recorder record, int count, bool again = true)
        where T : unmanaged
    {
        using IBackend backend = configuration.ForOneOp(precision);
        return Run<T>(backend, record, count, again && !configuration.RunsOnce);
    }

    private T[] Run<T>(IBackend backend, GuardedOp.Recorder record, int count, bool again) where T : unmanaged
    {
        var g = new GraphBuilder("test", weights);
        RuntimeScalar[] lengths = [.. scalars.Select(s => g.Scalar(s.Name, s.Max))];
        using DeviceQueue queue = backend.CreateQueue("test");
        List<(Tensor Tensor, DeviceBuffer Buffer)> bound = [];
        Tensor[] tensors = [.. inputs.Select((x, i) => Declare(g, backend, queue, $"x{i}", x, bound))];
        Tensor y = g.Output("y", record(g, tensors, lengths));
        Assert.Equal(y.Type.Size(), Unsafe.SizeOf<T>());
        using ExecutionPlan plan = backend.Compile(g.Build());

        using DeviceBuffer output = backend.Allocate("y", y.Type, new Shape(checked((int)y.Shape.Count) + CanaryCount));
        PlanBuffers buffers = new PlanBuffers(plan.Graph).Add(y, output);
        foreach ((Tensor tensor, DeviceBuffer buffer) in bound) buffers.Add(tensor, buffer);
        using BoundPlan run = plan.Bind(queue, buffers);
        for (int i = 0; i < lengths.Length; i++) run.Set(lengths[i], scalars[i].Value);

        T[] before = Unwritten<T>((int)y.Shape.Count), after = Result();
        Assert.Equal(before[^CanaryCount..], after[^CanaryCount..]);
        // Rows behind a run-time length are nobody's: they must stay as they were.
        AssertSameBits(before[count..^CanaryCount], after[count..^CanaryCount], $"behind the {count} valid ones, which nothing may write");
        if (again) AssertSameBits(after, Result(), "in the second run");
        foreach ((_, DeviceBuffer buffer) in bound) buffer.Dispose();
        return after[..count];

        T[] Result()
        {
            queue.Write<T>(output, before);
            queue.Run(run);
            var values = new T[before.Length];
            queue.Read<T>(output, values);
            return values;
        }
    }

    /// <summary>NaN (or what an index cannot be) where the result belongs, a canary behind it.</summary>
    private static T[] Unwritten<T>(int count) where T : unmanaged
    {
        var values = new T[count + CanaryCount];
        if (values is float[] f)
        {
            Array.Fill(f, float.NaN);
            f.AsSpan(count).Fill(Canary);
        }
        else if (values is int[] n) Array.Fill(n, int.MinValue + 7);
        else if (values is ushort[] u) Array.Fill(u, (ushort)0x7fc1);
        return values;
    }

    /// <summary>A float input of rank 2 or more is a view into the middle of a larger one that is NaN elsewhere.</summary>
    private static Tensor Declare(GraphBuilder g, IBackend backend, DeviceQueue queue, string name,
        GuardedInput input, List<(Tensor, DeviceBuffer)> bound)
    {
        (DType type, Shape shape, Array values) = input;
        bool guarded = values is float[] && shape.Rank > 1;
        int[] dims = shape.ToArray();
        if (guarded) dims[0] += 2;
        Tensor tensor = g.Input(name, type, new Shape(dims));
        DeviceBuffer buffer = backend.Allocate(name, type, tensor.Shape);
        bound.Add((tensor, buffer));
        switch (values)
        {
            case float[] f:
                var all = new float[tensor.Shape.Count];
                Array.Fill(all, float.NaN);
                f.CopyTo(all, (all.Length - f.Length) / 2);
                if (type == DType.F32) queue.Write<float>(buffer, all);
                else queue.Write<ushort>(buffer, MemoryMarshal.Cast<byte, ushort>(TestWeights.Bytes(type, all)));
                break;
            case int[] n: queue.Write<int>(buffer, n); break;
            case byte[] b: queue.Write<byte>(buffer, b); break;
        }
        return guarded ? g.SliceRows(tensor, 1, shape[0]) : tensor;
    }

    public static void AssertSameBits<T>(T[] expected, T[] actual, string where) where T : unmanaged
    {
        for (int i = 0; i < expected.Length; i++)
            if (!SameBits(expected[i], actual[i])) Assert.Fail($"Element {i} is {actual[i]}, not {expected[i]}, {where}.");
    }

    private static bool SameBits<T>(T a, T b) where T : unmanaged =>
        a is float x && b is float y ? BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y) : a.Equals(b);
}
