using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// One op on every backend of <see cref="TestBackend.All"/>. Inputs lie between rows of NaN, so a read outside of them shows in the result;
/// the output begins as NaN and is followed by a canary; all configurations of a family must give the same bits, and a second run too.
/// </summary>
internal sealed class GuardedOp(IWeightSource? weights = null)
{
    private const float Canary = 12345.5f;
    private const int CanaryCount = 96;
    private readonly List<(DType Type, Shape Shape, Array Values)> _inputs = [];
    private readonly List<(string Name, int Max, int Value)> _scalars = [];

    /// <summary>Records the op under test: its inputs as added, its run-time lengths, its output.</summary>
    public delegate Tensor Recorder(GraphBuilder g, Tensor[] inputs, RuntimeScalar[] scalars);

    /// <summary>Values, rounded to the float type that they are stored in.</summary>
    public GuardedOp Floats(Shape shape, float[] values, DType type = DType.F32) => Add(type, shape, values);

    public GuardedOp Ints(params int[] values) => Add(DType.I32, new Shape(values.Length), values);

    public GuardedOp Ints(Shape shape, int[] values) => Add(DType.I32, shape, values);

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
    public void Follows(double[] reference, float[] naive, string what, Recorder record) =>
        Satisfies<float>(reference.Length, record, y => Float64Rule.Check(reference, naive, y, what));

    /// <summary>Accepts nothing but these values.</summary>
    public void Gives<T>(T[] expected, Func<GraphBuilder, Tensor[], Tensor> record) where T : unmanaged =>
        Gives(expected, (g, t, _) => record(g, t));

    /// <inheritdoc cref="Gives{T}(T[], Func{GraphBuilder, Tensor[], Tensor})"/>
    public void Gives<T>(T[] expected, Recorder record) where T : unmanaged =>
        Satisfies<T>(expected.Length, record, y => Assert.Equal(expected, y));

    /// <summary>Accepts what <paramref name="check"/> does not refuse; it sees the valid elements of each family's result once.</summary>
    public void Satisfies<T>(int count, Recorder record, Action<T[]> check) where T : unmanaged
    {
        foreach (IGrouping<string, TestBackend> family in TestBackend.All.GroupBy(b => b.Family))
        {
            T[]? first = null;
            foreach (TestBackend configuration in family)
            {
                using IBackend backend = configuration.Open();
                T[] result = RunTwice<T>(backend, record, count);
                if (first is null) check(first = result);
                AssertSameBits(first, result, $"with {configuration.Name} instead of {family.First().Name}");
            }
        }
    }

    private T[] RunTwice<T>(IBackend backend, Recorder record, int count) where T : unmanaged
    {
        var g = new GraphBuilder("test", weights ?? new TestWeights());
        RuntimeScalar[] scalars = [.. _scalars.Select(s => g.Scalar(s.Name, s.Max))];
        using DeviceQueue queue = backend.CreateQueue("test");
        List<(Tensor Tensor, DeviceBuffer Buffer)> bound = [];
        Tensor[] tensors = [.. _inputs.Select((x, i) => Declare(g, backend, queue, $"x{i}", x, bound))];
        Tensor y = g.Output("y", record(g, tensors, scalars));
        Assert.Equal(y.Type.Size(), Unsafe.SizeOf<T>());
        using ExecutionPlan plan = backend.Compile(g.Build());

        using DeviceBuffer output = backend.Allocate("y", y.Type, new Shape(checked((int)y.Shape.Count) + CanaryCount));
        PlanBuffers buffers = new PlanBuffers(plan.Graph).Add(y, output);
        foreach ((Tensor tensor, DeviceBuffer buffer) in bound) buffers.Add(tensor, buffer);
        using BoundPlan run = plan.Bind(queue, buffers);
        for (int i = 0; i < scalars.Length; i++) run.Set(scalars[i], _scalars[i].Value);

        T[] before = Unwritten<T>((int)y.Shape.Count), after = Run();
        Assert.Equal(before[^CanaryCount..], after[^CanaryCount..]);
        // Rows behind a run-time length are nobody's: they must stay as they were.
        AssertSameBits(before[count..^CanaryCount], after[count..^CanaryCount], $"behind the {count} valid ones, which nothing may write");
        AssertSameBits(after, Run(), "in the second run");
        foreach ((_, DeviceBuffer buffer) in bound) buffer.Dispose();
        return after[..count];

        T[] Run()
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
        (DType Type, Shape Shape, Array Values) input, List<(Tensor, DeviceBuffer)> bound)
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

    private GuardedOp Add(DType type, Shape shape, Array values)
    {
        Assert.Equal(shape.Count, values.LongLength);
        _inputs.Add((type, shape, values));
        return this;
    }

    private static void AssertSameBits<T>(T[] expected, T[] actual, string where) where T : unmanaged
    {
        for (int i = 0; i < expected.Length; i++)
            if (!SameBits(expected[i], actual[i])) Assert.Fail($"Element {i} is {actual[i]}, not {expected[i]}, {where}.");
    }

    private static bool SameBits<T>(T a, T b) where T : unmanaged =>
        a is float x && b is float y ? BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y) : a.Equals(b);
}
