using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cli.Devices;

/// <summary>The device that a command computes on.</summary>
/// <param name="Device">It.</param>
/// <param name="Note">What there is to say about the choice, or null.</param>
internal sealed record DeviceChoice(Device Device, string? Note)
{
    private const string Otherwise = "--device cpu computes on the processor";

    /// <summary>Finds the device that is meant.</summary>
    /// <param name="name">What --device says.</param>
    /// <param name="threads">Threads, for the CPU or to run a virtual GPU; 0 is one per processor.</param>
    /// <param name="precision">How numbers are stored.</param>
    /// <param name="driver">The GPUs' driver; null for this machine's.</param>
    /// <exception cref="DeviceException">It cannot be used; the message says why.</exception>
    public static DeviceChoice Of(DeviceName name, int threads, Precision precision, CudaDriver? driver = null) => name.Kind switch
    {
        DeviceKind.Cpu => new DeviceChoice(Cpu(threads, precision), CpuFeatures.Shortfall),
        DeviceKind.Cuda => new DeviceChoice(Usable(Gpu(driver, name.Index, precision)), null),
        DeviceKind.Virtual => new DeviceChoice(Gpu(VirtualCards.Driver(name.Card!, threads, name.IsChecked), 0, precision), name.IsChecked
            ? "The virtual GPU runs a GPU's kernels on the processor and checks every access: for checking, and slow."
            : "The virtual GPU runs a GPU's kernels on the processor and is slow; unchecked: races, reads of what nothing wrote and "
                + "asynchronous copies in flight are not looked for, only bounds, alignment, barriers and deadlocks."),
        _ => Auto(threads, precision, driver, Gpu(driver, 0, precision).Availability),
    };

    /// <summary>
    /// The same, but where an H100 takes kernels of its own for large shapes only (<see cref="HopperUse.WhereItPays"/>) it takes them for
    /// small ones too, so that the few small shapes of <c>doctor</c> run every kernel that it has; unless the environment says which.
    /// </summary>
    public DeviceChoice ForChecks() => Device is CudaDevice { Hopper: null } gpu
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(CudaDevice.HopperVariable))
        ? this with { Device = gpu.With(HopperUse.Wherever) } : this;

    /// <summary>The first GPU that can be used, else the CPU.</summary>
    /// <param name="threads">As above.</param>
    /// <param name="precision">As above.</param>
    /// <param name="driver">As above.</param>
    /// <param name="found">What there is.</param>
    internal static DeviceChoice Auto(int threads, Precision precision, CudaDriver? driver, CudaAvailability found)
    {
        for (int i = 0; i < found.Devices.Count; i++)
            if (found.Devices[i].Unusable is null)
                return new DeviceChoice(Gpu(driver, i, precision), FormattableString.Invariant(
                    $"Device: cuda:{i}, {found.Devices[i].Name}, the first GPU that can be used; {Otherwise}."));
        // A machine without a driver has no GPU that somebody could have meant, unless one is seen on it.
        return new DeviceChoice(Cpu(threads, precision), found.HasDriver || found.DriverlessGpu is not null
            ? $"Device: the CPU, since {found.Reason}." : CpuFeatures.Shortfall);
    }

    private static CudaDevice Usable(CudaDevice device)
    {
        CudaAvailability found = device.Availability;
        if (found.Devices.Count == 0) throw new DeviceException($"No GPU can be used: {found.Reason}; {Otherwise}.");
        if (device.Index >= found.Devices.Count)
            throw new DeviceException(FormattableString.Invariant(
                $"There is no GPU {device.Index}: the driver has {Plural.Of(found.Devices.Count, "GPU")}, numbered from 0."));
        return found.Devices[device.Index].Unusable is not { } reason ? device
            : throw new DeviceException(FormattableString.Invariant($"GPU {device.Index} cannot be used: {reason}; {Otherwise}."));
    }

    private static CpuDevice Cpu(int threads, Precision precision) => new() { Threads = threads, Precision = precision };

    private static CudaDevice Gpu(CudaDriver? driver, int index, Precision precision) => driver is null
        ? new CudaDevice { Index = index, Precision = precision }
        : new CudaDevice(driver) { Index = index, Precision = precision };
}
