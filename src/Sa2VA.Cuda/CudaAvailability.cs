using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>Whether kernels of this backend can run, and where. Finding out raises no exception.</summary>
public sealed record CudaAvailability
{
    private CudaAvailability() { }

    /// <summary>What stands in the way, in words; null where a device can be used.</summary>
    public string? Reason { get; private init; }

    /// <summary>False if this machine has no NVIDIA driver, not even one that is too old.</summary>
    public bool HasDriver { get; private init; } = true;

    /// <summary>
    /// Where a GPU of NVIDIA is seen on a machine without an NVIDIA driver, such as a container that was given the device but not the
    /// library; null where there is a driver, or no such GPU, or the system is not Linux.
    /// </summary>
    public string? DriverlessGpu { get; private init; }

    /// <summary>What the driver's functions were found in, such as a library's name; null where there are none.</summary>
    public string? Source => Driver?.Source;

    /// <summary>The driver's version, as 12040 for 12.4; 0 where there is none.</summary>
    public int DriverVersion { get; private init; }

    /// <summary>The devices, usable or not, by their number.</summary>
    public IReadOnlyList<CudaDeviceInfo> Devices { get; private init; } = [];

    /// <summary>The driver; null where there is none.</summary>
    internal CudaDriver? Driver { get; private init; }

    internal IReadOnlyList<DeviceFacts> Facts { get; private init; } = [];

    /// <summary>Looks for the machine's driver and its devices.</summary>
    public static CudaAvailability Find() => CudaDriver.Load(out bool isThere, out string? reason) is { } driver
        ? Find(driver)
        : isThere ? new CudaAvailability { Reason = reason } : WithoutDriver(reason!, VisibleGpu.Find());

    /// <summary>What there is to say of a machine without a driver.</summary>
    /// <param name="reason">Why there is none.</param>
    /// <param name="gpu">Where a GPU is seen all the same, or null.</param>
    internal static CudaAvailability WithoutDriver(string reason, string? gpu) => new()
    {
        HasDriver = false,
        DriverlessGpu = gpu,
        Reason = gpu is null ? reason : $"there is an NVIDIA GPU ({gpu}), but {reason}: install NVIDIA's driver; in a container, start it "
            + "with the NVIDIA Container Toolkit (docker run --gpus all), which brings the library along",
    };

    /// <summary>Looks for the devices of a driver.</summary>
    public static unsafe CudaAvailability Find(CudaDriver driver)
    {
        int version = 0, count = 0;
        CudaResult result = driver.Init(0);
        if (result == CudaResult.Success) result = driver.DriverGetVersion(&version);
        if (result == CudaResult.Success) result = driver.DeviceGetCount(&count);
        if (result != CudaResult.Success)
        {
            return new CudaAvailability
            {
                Driver = driver,
                DriverVersion = version,
                Reason = result == CudaResult.NoDevice ? "the driver finds no GPU"
                    : $"the driver does not start: {CudaContext.Describe(driver, result)}",
            };
        }
        if (version < LeastVersion)
        {
            return new CudaAvailability
            {
                Driver = driver,
                DriverVersion = version,
                Reason = $"the driver supports CUDA {Version(version)}; {Version(LeastVersion)} or newer is needed: update the driver",
            };
        }
        List<DeviceFacts> facts = [];
        string? refused = null;
        for (int i = 0; i < count; i++)
        {
            if (DeviceFacts.Read(driver, i, out result) is { } found) facts.Add(found);
            else refused ??= $"the driver does not describe GPU {i}: {CudaContext.Describe(driver, result)}";
        }
        string? reason = facts.Any(f => f.Unusable is null) ? null
            : facts.Count > 0 ? facts[0].Unusable
            : refused ?? "the driver finds no GPU";
        return new CudaAvailability
        {
            Driver = driver,
            DriverVersion = version,
            Reason = reason,
            Facts = facts,
            Devices = [.. facts.Select(f => new CudaDeviceInfo(f.Name, f.Capability, f.Multiprocessors, f.MemoryBytes, f.Unusable))],
        };
    }

    /// <summary>
    /// The first driver with all functions (<c>cuGraphInstantiateWithFlags</c> came last); the kernels' PTX is for older ones too.
    /// </summary>
    internal const int LeastVersion = 11_040;

    private static string Version(int version) => $"{version / 1000}.{version % 1000 / 10}";
}

/// <summary>A device that the driver knows.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Capability">Compute capability times ten: 80 for 8.0.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Device memory.</param>
/// <param name="Unusable">Why it cannot be used, in words; null if it can.</param>
public sealed record CudaDeviceInfo(string Name, int Capability, int Multiprocessors, long MemoryBytes, string? Unusable);
