using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Products by warpgroups, which devices of compute capability 9.0 have: by the float64 rule, and with every bit of the products of 8.0,
/// which run on an A100 here. On a device of one multiprocessor a block takes tile after tile.
/// </summary>
public sealed class HopperProductTests(ITestOutputHelper output)
{
    private static readonly Lazy<VirtualDriver> One = new(() => Driver(seed: 11, multiprocessors: 1, isLazy: false));
    private static readonly Lazy<VirtualDriver> Many = new(() => Driver(seed: 12, multiprocessors: 132, isLazy: true));

    /// <summary>The products of 8.0 first.</summary>
    private static readonly TestBackend[] Family =
    [
        TestBackend.All.First(b => b.Family == VirtualGpus.Family),
        new("cuda on a virtual H100 of one multiprocessor, warpgroups", VirtualGpus.Family, p => Open(One.Value, p)),
        new("cuda on a virtual H100, warpgroups, late", VirtualGpus.Family, p => Open(Many.Value, p)) { RunsOnce = true },
    ];

    [Theory]
    // Rows and columns one above and below what tiles, warps and pieces have; a depth that ends within a stage.
    [InlineData(65, 96, 128, Activation.None, true, false, false)]
    [InlineData(128, 128, 136, Activation.Relu, true, false, false)]
    [InlineData(129, 97, 200, Activation.Gelu, true, true, true)]
    [InlineData(145, 33, 256, Activation.Silu, false, true, true)]
    [InlineData(66, 191, 328, Activation.GeluTanh, true, false, true)]
    [InlineData(257, 8, 144, Activation.None, false, false, true)]
    [InlineData(70, 1, 136, Activation.Sigmoid, true, true, false)]
    [InlineData(130, 260, 144, Activation.Gelu, true, false, false)]
    // Released models with fewer rows and columns: the vision tower, the trunk's stages, memory attention, a prompt.
    [InlineData(97, 192, 1024, Activation.None, true, true, true)]
    [InlineData(72, 40, 4096, Activation.None, true, true, true)]
    [InlineData(260, 216, 288, Activation.None, true, false, false)]
    [InlineData(130, 144, 576, Activation.None, true, false, true)]
    [InlineData(200, 300, 256, Activation.Relu, true, false, false)]
    [InlineData(67, 56, 4864, Activation.None, false, false, true)]
    public void Linear(int m, int n, int k, Activation activation, bool hasBias, bool hasScale, bool hasResidual)
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

        output.WriteLine(string.Join(" ", One.Value.Launches.Skip(before).Select(l => l.Kernel)));

        Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) => g.Linear(t[0], g.Weight("w"), hasBias ? g.Weight("b") : null,
            activation, hasScale ? g.Weight("s") : null, hasResidual ? t[1] : null);
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
