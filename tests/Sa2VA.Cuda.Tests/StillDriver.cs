using System.Runtime.InteropServices;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Functions of the driver that say yes to everything, run nothing and allocate nothing managed: what the backend allocates shows.
/// </summary>
internal static unsafe class StillDriver
{
    private static long _next = 0x10_0000_0000;

    /// <param name="instead">The address of a function of a test's own by its name; 0 for those of here.</param>
    public static CudaDriver Open(Func<string, nint>? instead = null) =>
        new("a driver that stands still", name => instead?.Invoke(name) is { } own and not 0 ? own : Export(name));

    private static nint Export(string name) => name switch
    {
        "cuDriverGetVersion" => (nint)(delegate* unmanaged<int*, int>)&Version,
        "cuDeviceGetCount" => (nint)(delegate* unmanaged<int*, int>)&One,
        "cuDeviceGetName" => (nint)(delegate* unmanaged<byte*, int, int, int>)&NameIt,
        "cuDeviceGetAttribute" => (nint)(delegate* unmanaged<int*, int, int, int>)&Attribute,
        "cuFuncGetAttribute" => (nint)(delegate* unmanaged<int*, int, nint, int>)&Attribute,
        "cuDeviceTotalMem_v2" or "cuMemGetAllocationGranularity" => (nint)(delegate* unmanaged<nuint*, int>)&Large,
        "cuMemGetInfo_v2" => (nint)(delegate* unmanaged<nuint*, nuint*, int>)&Much,
        "cuMemHostAlloc" => (nint)(delegate* unmanaged<void**, nuint, uint, int>)&HostAlloc,
        "cuCtxCreate_v2" or "cuModuleLoadDataEx" or "cuModuleGetFunction" or "cuMemAlloc_v2" or "cuMemCreate" or "cuMemAddressReserve"
            or "cuStreamCreateWithPriority" or "cuGraphInstantiateWithFlags" or "cuEventCreate" or "cuCtxPopCurrent_v2"
            => (nint)(delegate* unmanaged<long*, int>)&Handle,
        "cuStreamEndCapture" => (nint)(delegate* unmanaged<nint, long*, int>)&Graph,
        // More arguments than a function takes are the caller's business where this runs.
        _ => (nint)(delegate* unmanaged<int>)&Yes,
    };

    [UnmanagedCallersOnly]
    private static int Yes() => 0;

    [UnmanagedCallersOnly]
    private static int Version(int* version)
    {
        *version = 13000;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int One(int* count)
    {
        *count = 1;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int NameIt(byte* name, int length, int device)
    {
        *name = 0;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Attribute(int* value, int attribute, nint of)
    {
        *value = 1024;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Attribute(int* value, int attribute, int of)
    {
        *value = attribute is 75 or 76 ? 8 : 1 << 16;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Large(nuint* value)
    {
        *value = 1 << 21;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Much(nuint* free, nuint* total)
    {
        *free = *total = 1 << 30;
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int HostAlloc(void** memory, nuint bytes, uint flags)
    {
        *memory = NativeMemory.AllocZeroed(bytes);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Handle(long* handle)
    {
        *handle = Interlocked.Add(ref _next, 1 << 21);
        return 0;
    }

    [UnmanagedCallersOnly]
    private static int Graph(nint stream, long* graph)
    {
        *graph = 1;
        return 0;
    }
}
