using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>An NVIDIA GPU.</summary>
public sealed class CudaDevice : Device
{
    /// <summary>The environment variable that <see cref="Hopper"/> is taken from where nothing else is said.</summary>
    public const string HopperVariable = "SA2VA_HOPPER";

    /// <summary>The environment variable that <see cref="ChecksLaunches"/> is taken from where nothing else is said.</summary>
    public const string LaunchesVariable = "SA2VA_LAUNCHES";

    private readonly CudaDriver? _driver;
    private HopperUse? _hopper;

    /// <summary>A GPU of this machine.</summary>
    public CudaDevice() { }

    /// <summary>A GPU of another driver: a virtual one.</summary>
    public CudaDevice(CudaDriver driver) => _driver = driver;

    /// <summary>Which GPU, from 0.</summary>
    public int Index { get; init; }

    /// <summary>True to replay a captured graph for every run, false to launch kernel by kernel. The results are the same.</summary>
    public bool UsesGraphs { get; init; } = true;

    /// <summary>
    /// True to launch kernel by kernel and to wait for each, so that the error of one that fails names it, with its op and grid: slow.
    /// Null: as the environment variable <c>SA2VA_LAUNCHES</c> says (<c>checked</c>), else false. The results are the same.
    /// </summary>
    public bool? ChecksLaunches { get; init; }

    /// <summary>Which maps plans keep in <see cref="Core.ZOrder"/>. The results are the same.</summary>
    public ZOrderUse ZOrder { get; init; } = ZOrderUse.WhereItPays;

    /// <summary>
    /// Where a device of compute capability 9.0 takes kernels that are for it alone; null: as the environment variable <c>SA2VA_HOPPER</c>
    /// says (<c>never</c>, <c>pays</c> or <c>wherever</c>), else where it pays. The results are the same.
    /// </summary>
    public HopperUse? Hopper
    {
        get => _hopper;
        init => _hopper = value;
    }

    /// <inheritdoc/>
    public override string Name => "cuda";

    /// <inheritdoc/>
    public override string Description
    {
        get
        {
            CudaAvailability found = Availability;
            return Index < found.Devices.Count ? found.Devices[Index].Name : $"GPU {Index}: {found.Reason ?? "not there"}";
        }
    }

    /// <summary>What the driver says.</summary>
    public CudaAvailability Availability => _driver is null ? CudaAvailability.Find() : CudaAvailability.Find(_driver);

    /// <summary>The same device and choices, but for <see cref="Hopper"/>.</summary>
    public CudaDevice With(HopperUse hopper)
    {
        var other = (CudaDevice)MemberwiseClone();
        other._hopper = hopper;
        return other;
    }

    /// <inheritdoc/>
    public override IBackend Open(long memoryBudget = 0) => new CudaBackend(Find(), this, memoryBudget, countsOnly: false);

    /// <inheritdoc/>
    public override IBackend OpenCounting() => new CudaBackend(Find(), this, 0, countsOnly: true);

    private (CudaDriver, DeviceFacts) Find()
    {
        CudaAvailability found = Availability;
        if (found.Driver is null || found.Facts.Count == 0)
            throw new DeviceException($"No GPU can be used: {found.Reason}.");
        if ((uint)Index >= (uint)found.Facts.Count)
            throw new DeviceException($"There is no GPU {Index}; there are {found.Facts.Count}, from 0 on.");
        return found.Facts[Index].Unusable is { } reason
            ? throw new DeviceException($"GPU {Index} cannot be used: {reason}.")
            : (found.Driver, found.Facts[Index]);
    }
}
