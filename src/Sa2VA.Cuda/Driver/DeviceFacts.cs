using System.Text;

namespace Sa2VA.Cuda.Driver;

/// <summary>What a device of the driver is.</summary>
/// <param name="Handle">The driver's number of it.</param>
/// <param name="Name">Its name.</param>
/// <param name="Capability">Compute capability times ten: 80 for 8.0.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="MemoryBytes">Device memory.</param>
/// <param name="SharedBytes">Most shared memory of a block.</param>
internal sealed record DeviceFacts(int Handle, string Name, int Capability, int Multiprocessors, long MemoryBytes, int SharedBytes)
{
    /// <summary>Lowest capability that the kernels run on.</summary>
    public const int LeastCapability = 80;

    /// <summary>Why the device cannot be used, or null.</summary>
    public string? Unusable => Capability < LeastCapability
        ? $"{Name} has compute capability {Capability / 10}.{Capability % 10}; {LeastCapability / 10}.0 or newer is needed" : null;

    /// <summary>Asks the driver.</summary>
    /// <returns>Null where the driver refuses; <paramref name="result"/> tells why.</returns>
    public static unsafe DeviceFacts? Read(CudaDriver driver, int ordinal, out CudaResult result)
    {
        int handle;
        nuint memory;
        byte* name = stackalloc byte[256];
        if ((result = driver.DeviceGet(&handle, ordinal)) != CudaResult.Success
            || (result = driver.DeviceGetName(name, 256, handle)) != CudaResult.Success
            || (result = driver.DeviceTotalMem(&memory, handle)) != CudaResult.Success) return null;
        int major = 0, minor = 0, processors = 0, shared = 0;
        if ((result = driver.DeviceGetAttribute(&major, DeviceAttribute.ComputeCapabilityMajor, handle)) != CudaResult.Success
            || (result = driver.DeviceGetAttribute(&minor, DeviceAttribute.ComputeCapabilityMinor, handle)) != CudaResult.Success
            || (result = driver.DeviceGetAttribute(&processors, DeviceAttribute.MultiprocessorCount, handle)) != CudaResult.Success
            || (result = driver.DeviceGetAttribute(&shared, DeviceAttribute.MaxSharedMemoryPerBlockOptin, handle)) != CudaResult.Success)
            return null;
        int length = 0;
        while (length < 255 && name[length] != 0) length++;
        string text = Encoding.UTF8.GetString(name, length);
        return new DeviceFacts(handle, text, 10 * major + minor, processors, checked((long)memory), shared);
    }
}
