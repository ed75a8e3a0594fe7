using Sa2VA.Core;

namespace Sa2VA.Tests;

public class WriteRowsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(DType.F32, 0, 3)]
    [InlineData(DType.BF16, 4, 3)]
    [InlineData(DType.F16, 7, 1)]
    [InlineData(DType.F32, 5, 0)]
    public void Writes_the_valid_rows_and_nothing_else(DType type, int start, int rows)
    {
        foreach (TestBackend backend in TestBackend.All) Write(backend, type, start, rows);
    }

    private static void Write(TestBackend configuration, DType type, int start, int rows)
    {
        const int Capacity = 8, Width = 21;
        float[] x = TestValues.Random(1, 3 * Width);
        using IBackend backend = configuration.Open();
        (GraphBuilder g, RuntimeScalar at, RuntimeScalar count, Tensor input, Tensor state) = Declare(type, Capacity, Width);
        g.WriteRows(state, input, at);
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceBuffer source = backend.Allocate("x", DType.F32, input.Shape), cache = backend.Allocate("cache", type, state.Shape);
        source.Write<float>(x);
        byte[] before = new byte[cache.Bytes];
        Array.Fill(before, (byte)0x5a);
        Write(cache, before);
        plan.Run(new PlanBindings(plan.Graph).Bind(input, source).Bind(state, cache).Set(at, start).Set(count, rows), Cancellation);

        var expected = new TestWeights();
        expected.Add("x", type, input.Shape, x);
        byte[] after = Read(cache);
        int row = Width * type.Size();
        using WeightData stored = expected.Open("x");
        Assert.Equal(before[..(start * row)], after[..(start * row)]);
        unsafe
        {
            Assert.Equal(new ReadOnlySpan<byte>(stored.Pointer, rows * row).ToArray(), after[(start * row)..((start + rows) * row)]);
        }
        Assert.Equal(before[((start + rows) * row)..], after[((start + rows) * row)..]);
    }

    public static TheoryData<string> Backends => TestBackend.Names;

    [Theory]
    [MemberData(nameof(Backends))]
    public void Rows_beyond_the_capacity_are_refused(string name)
    {
        using IBackend backend = TestBackend.OpenNamed(name);
        (GraphBuilder g, RuntimeScalar at, RuntimeScalar count, Tensor input, Tensor state) = Declare(DType.F32, 8, 4);
        g.WriteRows(state, input, at);
        using ExecutionPlan plan = backend.Compile(g.Build(), Cancellation);
        using DeviceBuffer source = backend.Allocate("x", DType.F32, input.Shape);
        using DeviceBuffer cache = backend.Allocate("cache", DType.F32, state.Shape);
        PlanBindings bindings = new PlanBindings(plan.Graph).Bind(input, source).Bind(state, cache).Set(at, 6).Set(count, 3);
        var e = Assert.Throws<GraphException>(() => plan.Run(bindings, Cancellation));
        Assert.Contains("capacity of 8", e.Message, StringComparison.Ordinal);
        plan.Run(bindings.Set(count, 2), Cancellation);
    }

    private static (GraphBuilder, RuntimeScalar, RuntimeScalar, Tensor, Tensor) Declare(DType type, int capacity, int width)
    {
        var g = new GraphBuilder("append", new TestWeights());
        RuntimeScalar at = g.Scalar("at", capacity), count = g.Scalar("count", 3);
        return (g, at, count, g.Input("x", DType.F32, new Shape(3, width), count), g.State("cache", type, new Shape(capacity, width)));
    }

    private static void Write(DeviceBuffer buffer, byte[] bytes)
    {
        if (buffer.Type.Size() == 4) buffer.Write<int>(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes));
        else buffer.Write<short>(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(bytes));
    }

    private static byte[] Read(DeviceBuffer buffer)
    {
        var bytes = new byte[buffer.Bytes];
        if (buffer.Type.Size() == 4) buffer.Read(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(bytes.AsSpan()));
        else buffer.Read(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(bytes.AsSpan()));
        return bytes;
    }
}
