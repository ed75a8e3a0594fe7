using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>
/// One op at every vector width and at 1, 2 and 3 threads. Inputs lie between rows of NaN, so a read outside of them shows in the result; the
/// output begins as NaN and is followed by a canary; all configurations must give the same bits, and a second run too.
/// </summary>
internal sealed class GuardedOp(IWeightSource? weights = null)
{
    private const float Canary = 12345.5f;
    private const int CanaryCount = 96;
    private readonly List<(DType Type, Shape Shape, Array Values)> _inputs = [];
    private readonly List<(string Name, int Max, int Value)> _scalars = [];

    public GuardedOp Floats(Shape shape, float[] values) => Add(DType.F32, shape, values);

    public GuardedOp Ints(params int[] values) => Add(DType.I32, new Shape(values.Length), values);

    public GuardedOp Bytes(Shape shape, byte[] values) => Add(DType.U8, shape, values);

    /// <summary>A run-time length.</summary>
    public GuardedOp Scalar(string name, int max, int value)
    {
        _scalars.Add((name, max, value));
        return this;
    }

    /// <summary>Accepts the result by the float64 rule.</summary>
    public void Follows(double[] reference, float[] naive, string what, Func<GraphBuilder, Tensor[], Tensor> record) =>
        Follows(reference, naive, what, (g, t, _) => record(g, t));

    /// <inheritdoc cref="Follows(double[], float[], string, Func{GraphBuilder, Tensor[], Tensor})"/>
    public void Follows(double[] reference, float[] naive, string what, Func<GraphBuilder, Tensor[], RuntimeScalar[], Tensor> record) =>
        Float64Rule.Check(reference, naive, Run<float>(record, reference.Length), what);

    /// <summary>Accepts nothing but these values.</summary>
    public void Gives<T>(T[] expected, Func<GraphBuilder, Tensor[], Tensor> record) where T : unmanaged => Gives(expected, (g, t, _) => record(g, t));

    /// <inheritdoc cref="Gives{T}(T[], Func{GraphBuilder, Tensor[], Tensor})"/>
    public void Gives<T>(T[] expected, Func<GraphBuilder, Tensor[], RuntimeScalar[], Tensor> record) where T : unmanaged =>
        Assert.Equal(expected, Run<T>(record, expected.Length));

    private T[] Run<T>(Func<GraphBuilder, Tensor[], RuntimeScalar[], Tensor> record, int count) where T : unmanaged
    {
        T[]? first = null;
        foreach (SimdLevel level in CpuFeatures.Available)
        {
            foreach (int threads in (int[])[1, 2, 3])
            {
                using var backend = new CpuBackend(new CpuOptions { Simd = level, Threads = threads });
                T[] result = RunOnce<T>(backend, record, count);
                first ??= result;
                for (int i = 0; i < result.Length; i++)
                    if (!SameBits(first[i], result[i])) Assert.Fail($"Element {i} is {result[i]} at {level} and {threads} threads, {first[i]} at V128 and one thread.");
            }
        }
        return first!;
    }

    private T[] RunOnce<T>(CpuBackend backend, Func<GraphBuilder, Tensor[], RuntimeScalar[], Tensor> record, int count) where T : unmanaged
    {
        var g = new GraphBuilder("test", weights ?? new TestWeights());
        RuntimeScalar[] scalars = [.. _scalars.Select(s => g.Scalar(s.Name, s.Max))];
        List<(Tensor Tensor, DeviceBuffer Buffer)> bound = [];
        Tensor[] tensors = [.. _inputs.Select((x, i) => Declare(g, backend, $"x{i}", x.Type, x.Shape, x.Values, bound))];
        Tensor y = g.Output("y", record(g, tensors, scalars));
        using ExecutionPlan plan = backend.Compile(g.Build());

        using DeviceBuffer output = backend.Allocate("y", y.Type, new Shape(checked((int)y.Shape.Count) + CanaryCount));
        var bindings = new PlanBindings(plan.Graph).Bind(y, output);
        foreach ((Tensor tensor, DeviceBuffer buffer) in bound) bindings.Bind(tensor, buffer);
        for (int i = 0; i < scalars.Length; i++) bindings.Set(scalars[i], _scalars[i].Value);

        T[] before = Filled(y.Type);
        output.Write<T>(before);
        plan.Run(bindings);
        var after = new T[before.Length];
        output.Read<T>(after);
        Assert.Equal(before[^CanaryCount..], after[^CanaryCount..]);
        // Rows behind a run-time length are nobody's: they must stay as they were.
        for (int i = count; i < before.Length - CanaryCount; i++)
            if (!SameBits(before[i], after[i])) Assert.Fail($"Element {i} behind the {count} valid ones was written: {after[i]}.");

        output.Write<T>(before);
        plan.Run(bindings);
        var again = new T[before.Length];
        output.Read<T>(again);
        for (int i = 0; i < again.Length; i++)
            if (!SameBits(after[i], again[i])) Assert.Fail($"Element {i} is {after[i]} in the first run and {again[i]} in the second.");
        foreach ((_, DeviceBuffer buffer) in bound) buffer.Dispose();
        return after[..count];

        T[] Filled(DType type)
        {
            var values = new T[y.Shape.Count + CanaryCount];
            if (values is float[] f)
            {
                Array.Fill(f, float.NaN);
                f.AsSpan(f.Length - CanaryCount).Fill(Canary);
            }
            else if (values is int[] n) Array.Fill(n, int.MinValue + 7);
            else if (values is ushort[] u) Array.Fill(u, (ushort)0x7fc1);
            Assert.Equal(type.Size(), System.Runtime.CompilerServices.Unsafe.SizeOf<T>());
            return values;
        }
    }

    /// <summary>A float input of rank 2 or more is a view into the middle of a larger one that is NaN elsewhere.</summary>
    private static Tensor Declare(GraphBuilder g, CpuBackend backend, string name, DType type, Shape shape, Array values, List<(Tensor, DeviceBuffer)> bound)
    {
        if (values is not float[] floats || shape.Rank == 1)
        {
            Tensor plain = g.Input(name, type, shape);
            DeviceBuffer exact = backend.Allocate(name, type, shape);
            switch (values)
            {
                case float[] f: exact.Write<float>(f); break;
                case int[] n: exact.Write<int>(n); break;
                case byte[] b: exact.Write<byte>(b); break;
            }
            bound.Add((plain, exact));
            return plain;
        }
        int[] dims = shape.ToArray();
        dims[0] += 2;
        Tensor larger = g.Input(name, type, new Shape(dims));
        DeviceBuffer buffer = backend.Allocate(name, type, larger.Shape);
        var all = new float[larger.Shape.Count];
        Array.Fill(all, float.NaN);
        floats.CopyTo(all, (int)(all.Length - floats.Length) / 2);
        buffer.Write<float>(all);
        bound.Add((larger, buffer));
        return g.SliceRows(larger, 1, shape[0]);
    }

    private GuardedOp Add(DType type, Shape shape, Array values)
    {
        Assert.Equal(shape.Count, values.LongLength);
        _inputs.Add((type, shape, values));
        return this;
    }

    private static bool SameBits<T>(T a, T b) where T : unmanaged =>
        a is float x && b is float y ? BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y) : a.Equals(b);
}
