using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>The CUDA backend on virtual GPUs with all checks on: drivers that differ in what no result may depend on.</summary>
internal static class VirtualGpus
{
    public const string Family = "cuda";

    private static readonly Lazy<VirtualDriver> Prompt = new(() => Driver(seed: 1, VirtualDeviceKind.A100, isLazy: false));
    private static readonly Lazy<VirtualDriver> Lazy = new(() => Driver(seed: 2, VirtualDeviceKind.H100, isLazy: true));

    private static readonly Lazy<VirtualDriver> Two = new(() =>
        Driver(seed: 3, VirtualDeviceKind.H100 with { Multiprocessors = 2 }, isLazy: false));

    /// <summary>Captured graphs on one card, single launches that happen as late as they may on another.</summary>
    public static IEnumerable<TestBackend> All() =>
    [
        new TestBackend("cuda on a virtual A100, graphs", Family, precision => Open(Prompt.Value, precision, usesGraphs: true))
        {
            IsSlow = !FullRun.IsAsked,
        },
        new TestBackend("cuda on a virtual H100, launches, late", Family, precision => Open(Lazy.Value, precision, usesGraphs: false))
        {
            RunsOnce = !FullRun.IsAsked,
        },
    ];

    /// <summary>
    /// An H100 of so few multiprocessors that small inputs have the shapes which large ones have on a whole one: results are the same.
    /// Its kernels are those of 8.0.
    /// </summary>
    public static TestBackend Small { get; } = OfTwo("", HopperUse.Never);

    /// <summary>The same with products and attention by warpgroups wherever they can be.</summary>
    public static TestBackend Warpgroups { get; } = OfTwo(", warpgroups", HopperUse.Wherever);

    /// <summary>The first of <see cref="All"/> with another choice of which maps lie in Z-order.</summary>
    public static IBackend Ordering(ZOrderUse use, Precision precision) =>
        new CudaDevice(DriverOf(Prompt.Value)) { Precision = precision, ZOrder = use }.Open();

    public static CudaDriver DriverOf(VirtualDriver driver) => new(driver.Name, driver.Export);

    private static TestBackend OfTwo(string name, HopperUse use) => new($"cuda on a virtual H100 of two multiprocessors{name}", Family,
        precision => new CudaDevice(DriverOf(Two.Value)) { Precision = precision, Hopper = use }.Open());

    private static IBackend Open(VirtualDriver driver, Precision precision, bool usesGraphs) =>
        new CudaDevice(DriverOf(driver)) { Precision = precision, UsesGraphs = usesGraphs }.Open();

    private static VirtualDriver Driver(int seed, VirtualDeviceKind kind, bool isLazy) => new(new VirtualDriverOptions
    {
        Devices = [kind],
        LazyDispatch = isLazy,
        MappingGranularity = 1 << 16,
        Execution = new VirtualDeviceOptions { Seed = seed, CountMemory = false },
    });
}
