using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Products by warpgroups, which devices of compute capability 9.0 have: by the float64 rule, and with every bit of the products of 8.0,
/// which run on an A100 here. On a device of one multiprocessor a block takes tile after tile.
/// </summary>
public sealed class HopperProductTests
{
    private static readonly Lazy<VirtualDriver> One = new(() => Driver(seed: 11, multiprocessors: 1, isLazy: false));
    private static readonly Lazy<VirtualDriver> Many = new(() => Driver(seed: 12, multiprocessors: 132, isLazy: true));

    /// <summary>The products of 8.0 first; none, and the test is skipped, where virtual GPUs are not asked for.</summary>
    private static TestBackend[] Family
    {
        get
        {
            Assert.SkipUnless(TestBackend.All.Any(b => b.Family == VirtualGpus.Family), "SA2VA_BACKENDS leaves virtual GPUs out.");
            return AllOfFamily;
        }
    }

    private static readonly TestBackend[] AllOfFamily =
    [
        VirtualGpus.All().First(),
        new("cuda on a virtual H100 of one multiprocessor, warpgroups", VirtualGpus.Family, p => Open(One.Value, p)),
        new("cuda on a virtual H100, warpgroups, late", VirtualGpus.Family, p => Open(Many.Value, p)) { RunsOnce = true },
    ];

    [Theory]
    // Rows and columns one above and below what tiles, warps and pieces have; a depth that ends within a stage.
    [InlineData(65, 96, 128, 96, Activation.None, true, false, false)]
    [InlineData(128, 128, 136, 128, Activation.Relu, true, false, false)]
    [InlineData(129, 97, 200, 128, Activation.Gelu, true, true, true)]
    [InlineData(145, 33, 256, 96, Activation.Silu, false, true, true)]
    [InlineData(66, 191, 328, 192, Activation.GeluTanh, true, false, true)]
    [InlineData(257, 8, 144, 96, Activation.None, false, false, true)]
    [InlineData(70, 1, 136, 96, Activation.Sigmoid, true, true, false)]
    [InlineData(131, 143, 136, 144, Activation.Gelu, true, true, true)]
    [InlineData(130, 260, 144, 144, Activation.Gelu, true, false, false)]
    // Released models with fewer rows and columns: the vision tower, the trunk's stages, memory attention, a prompt.
    [InlineData(97, 192, 1024, 192, Activation.None, true, true, true)]
    [InlineData(72, 40, 4096, 96, Activation.None, true, true, true)]
    [InlineData(260, 216, 288, 256, Activation.None, true, false, false)]
    [InlineData(130, 144, 576, 144, Activation.None, true, false, true)]
    [InlineData(200, 300, 256, 192, Activation.Relu, true, false, false)]
    [InlineData(67, 56, 4864, 96, Activation.None, false, false, true)]
    public void Linear(int m, int n, int k, int tile, Activation activation, bool hasBias, bool hasScale, bool hasResidual)
    {
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(n, k), TestValues.Random(1, (long)n * k));
        weights.Add("b", DType.F32, new Shape(n), TestValues.Random(2, n));
        weights.Add("s", DType.F32, new Shape(n), TestValues.Random(3, n));
        GuardedInput[] inputs = [new(DType.F32, new Shape(m, k), TestValues.Random(4, (long)m * k)),
            new(DType.F32, new Shape(m, n), TestValues.Random(5, (long)m * n))];
        var run = new OpRun(weights, inputs, []);
        int before = One.Value.Launches.Count;
        // Results and residuals in bf16, then in float32.
        new NarrowOp(run, null).Check(Family, Record, m * n);
        OpRun wide = run.With(weights, [inputs[0] with { Type = DType.BF16 }, inputs[1]]);
        float[][] results = [.. Family.Select(configuration => wide.On<float>(configuration, Precision.BFloat16, (g, t, s) =>
            Record(g, [g.Copy(t[0], DType.F32), t[1]], s), m * n))];
        foreach (float[] result in results[1..]) OpRun.AssertSameBits(results[0], result, "by warpgroups");

        Assert.All(One.Value.Launches.Skip(before).Where(l => l.Kernel.StartsWith("linear", StringComparison.Ordinal)),
            l => Assert.Equal($"linear_bf16_hopper_128x{tile}", l.Kernel));

        Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) => g.Linear(t[0], g.Weight("w"), hasBias ? g.Weight("b") : null,
            activation, hasScale ? g.Weight("s") : null, hasResidual ? t[1] : null);
    }

    [Theory]
    // Gates and ups: columns above and below a tile's, a prompt of Sa2VA-1B with fewer columns.
    [InlineData(65, 96, 128)]
    [InlineData(129, 33, 200)]
    [InlineData(200, 250, 136)]
    [InlineData(257, 70, 896)]
    public void GatedLinear(int m, int n, int k)
    {
        var weights = new TestWeights();
        weights.Add("g", DType.BF16, new Shape(n, k), TestValues.Random(1, (long)n * k));
        weights.Add("u", DType.BF16, new Shape(n, k), TestValues.Random(2, (long)n * k));
        GuardedInput x = new(DType.F32, new Shape(m, k), TestValues.Random(3, (long)m * k));
        int before = One.Value.Launches.Count;
        new NarrowOp(new OpRun(weights, [x], []), null).Check(Family, (g, t, _) =>
            g.SwiGlu(g.Linear(t[0], g.Weight("g")), g.Linear(t[0], g.Weight("u"))), m * n);
        Assert.All(One.Value.Launches.Skip(before).Where(l => l.Kernel.StartsWith("gated", StringComparison.Ordinal)),
            l => Assert.Equal("gated_linear_bf16_hopper_128x192", l.Kernel));
        Assert.Contains(One.Value.Launches.Skip(before), l => l.Kernel.StartsWith("gated", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(300, 129)]
    [InlineData(300, 3)]
    [InlineData(130, 0)]
    [InlineData(130, 130)]
    public void Rows_that_are_a_run_time_length(int capacity, int rows)
    {
        const int Columns = 72, Depth = 136;
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(Columns, Depth), TestValues.Random(1, Columns * Depth));
        weights.Add("b", DType.F32, new Shape(Columns), TestValues.Random(2, Columns));
        GuardedInput x = new(DType.F32, new Shape(capacity, Depth), TestValues.Random(4, capacity * Depth));
        // What is multiplied was written by an op that writes no more rows than there are.
        new NarrowOp(new OpRun(weights, [x], [("rows", capacity, rows)]), null).Check(Family, (g, t, s) =>
        {
            Tensor there = g.Reshape(t[0], t[0].Shape, s[0]);
            return g.Linear(g.Add(there, there), g.Weight("w"), g.Weight("b"));
        }, rows * Columns);
    }

    /// <summary>Rows that are no chunks of 16 bytes have no tensor map.</summary>
    [Fact]
    public void Operands_that_boxes_cannot_have_are_gathered()
    {
        const int Rows = 70, Columns = 96, Depth = 132;
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(Columns, Depth), TestValues.Random(1, Columns * Depth));
        GuardedInput x = new(DType.F32, new Shape(Rows, Depth), TestValues.Random(4, Rows * Depth));
        int before = One.Value.Launches.Count;
        new NarrowOp(new OpRun(weights, [x], []), null).Check(Family, (g, t, _) => g.Linear(t[0], g.Weight("w")), Rows * Columns);
        Assert.Contains(One.Value.Launches.Skip(before), l => l.Kernel == "linear_bf16_gathered");
    }

    [Theory]
    // A device that has them, one that has not; a large product and a small one.
    [InlineData(90, HopperUse.WhereItPays, 1325, 896, true)]
    [InlineData(90, HopperUse.WhereItPays, 65, 16, false)]
    [InlineData(90, HopperUse.Wherever, 65, 16, true)]
    [InlineData(90, HopperUse.Wherever, 64, 896, false)]
    [InlineData(90, HopperUse.Never, 1325, 896, false)]
    [InlineData(80, HopperUse.Wherever, 1325, 896, false)]
    [InlineData(89, HopperUse.Wherever, 1325, 896, false)]
    public void Where_they_are_taken(int capability, HopperUse use, int rows, int columns, bool areTaken)
    {
        const int Depth = 896;
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [capability switch { 80 => VirtualDeviceKind.A100, 89 => VirtualDeviceKind.Rtx4090, _ => VirtualDeviceKind.H100 }],
        });
        using IBackend backend = new CudaDevice(VirtualGpus.DriverOf(driver)) { Precision = Precision.BFloat16, Hopper = use }.Open();
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(columns, Depth), new float[columns * Depth]);
        var g = new GraphBuilder("product", weights);
        g.Output("y", g.Linear(g.Copy(g.Input("x", DType.BF16, new Shape(rows, Depth)), DType.F32), g.Weight("w")));
        using ExecutionPlan plan = backend.Compile(g.Build(), TestContext.Current.CancellationToken);
        Assert.Equal(areTaken, ((CudaBackend)backend).Kernels.Any(k => k.Family == "linear_bf16_hopper"));
    }

    [Fact]
    public void A_driver_without_tensor_maps_has_the_other_products()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions { Devices = [VirtualDeviceKind.H100] });
        var functions = new CudaDriver(driver.Name, name => name == "cuTensorMapEncodeTiled" ? 0 : driver.Export(name));
        using IBackend backend = new CudaDevice(functions) { Precision = Precision.BFloat16, Hopper = HopperUse.Wherever }.Open();
        Assert.Equal(HopperUse.Never, ((CudaBackend)backend).Hopper);
    }

    private static IBackend Open(VirtualDriver driver, Precision precision) =>
        new CudaDevice(VirtualGpus.DriverOf(driver)) { Precision = precision, Hopper = HopperUse.Wherever }.Open();

    private static VirtualDriver Driver(int seed, int multiprocessors, bool isLazy) => new(new VirtualDriverOptions
    {
        Devices = [VirtualDeviceKind.H100 with { Multiprocessors = multiprocessors }],
        LazyDispatch = isLazy,
        LogLaunches = true,
        MappingGranularity = 1 << 16,
        Execution = new VirtualDeviceOptions { Seed = seed, CountMemory = false },
    });
}
