using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>The CUDA backend on virtual GPUs with all checks on: drivers that differ in what no result may depend on.</summary>
internal static class VirtualGpus
{
    private static readonly Lazy<VirtualDriver> Prompt = new(() => Driver(seed: 1, VirtualDeviceKind.A100, isLazy: false));
    private static readonly Lazy<VirtualDriver> Lazy = new(() => Driver(seed: 2, VirtualDeviceKind.H100, isLazy: true));

    /// <summary>Captured graphs on one card, single launches that happen as late as they may on another.</summary>
    public static IEnumerable<TestBackend> All() =>
    [
        new TestBackend("cuda on a virtual A100, graphs", "cuda", precision => Open(Prompt.Value, precision, usesGraphs: true)),
        new TestBackend("cuda on a virtual H100, launches, late", "cuda", precision => Open(Lazy.Value, precision, usesGraphs: false)),
    ];

    public static CudaDriver DriverOf(VirtualDriver driver) => new(driver.Name, driver.Export);

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
