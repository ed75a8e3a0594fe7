using System.Runtime.InteropServices;

namespace Sa2VA.Cuda.Driver;

/// <summary>
/// The functions of NVIDIA's driver that this backend calls, found by name when it is made: in <c>libcuda.so.1</c> or <c>nvcuda.dll</c>, or
/// in anything else that offers functions of these names and signatures (a virtual GPU). Names, parameters and return codes are the driver
/// API's; nothing here checks them.
/// </summary>
public sealed unsafe class CudaDriver
{
    /// <summary>Looks all functions up.</summary>
    /// <param name="source">What they are looked up in, for messages.</param>
    /// <param name="export">The address of a function by its exported name; 0 where there is none.</param>
    /// <exception cref="EntryPointNotFoundException">A function is missing; the message names it.</exception>
    public CudaDriver(string source, Func<string, nint> export)
    {
        Source = source;
        nint F(string name) => export(name) is var f and not 0 ? f : throw new EntryPointNotFoundException(name);
        Init = (delegate* unmanaged<uint, CudaResult>)F("cuInit");
        DriverGetVersion = (delegate* unmanaged<int*, CudaResult>)F("cuDriverGetVersion");
        GetErrorName = (delegate* unmanaged<CudaResult, byte**, CudaResult>)F("cuGetErrorName");
        GetErrorString = (delegate* unmanaged<CudaResult, byte**, CudaResult>)F("cuGetErrorString");

        DeviceGetCount = (delegate* unmanaged<int*, CudaResult>)F("cuDeviceGetCount");
        DeviceGet = (delegate* unmanaged<int*, int, CudaResult>)F("cuDeviceGet");
        DeviceGetName = (delegate* unmanaged<byte*, int, int, CudaResult>)F("cuDeviceGetName");
        DeviceGetAttribute = (delegate* unmanaged<int*, DeviceAttribute, int, CudaResult>)F("cuDeviceGetAttribute");
        DeviceTotalMem = (delegate* unmanaged<nuint*, int, CudaResult>)F("cuDeviceTotalMem_v2");

        CtxCreate = (delegate* unmanaged<nint*, uint, int, CudaResult>)F("cuCtxCreate_v2");
        CtxDestroy = (delegate* unmanaged<nint, CudaResult>)F("cuCtxDestroy_v2");
        CtxPushCurrent = (delegate* unmanaged<nint, CudaResult>)F("cuCtxPushCurrent_v2");
        CtxPopCurrent = (delegate* unmanaged<nint*, CudaResult>)F("cuCtxPopCurrent_v2");
        CtxGetStreamPriorityRange = (delegate* unmanaged<int*, int*, CudaResult>)F("cuCtxGetStreamPriorityRange");
        MemGetInfo = (delegate* unmanaged<nuint*, nuint*, CudaResult>)F("cuMemGetInfo_v2");

        ModuleLoadDataEx = (delegate* unmanaged<nint*, void*, uint, int*, void**, CudaResult>)F("cuModuleLoadDataEx");
        ModuleUnload = (delegate* unmanaged<nint, CudaResult>)F("cuModuleUnload");
        ModuleGetFunction = (delegate* unmanaged<nint*, nint, byte*, CudaResult>)F("cuModuleGetFunction");
        FuncSetAttribute = (delegate* unmanaged<nint, FunctionAttribute, int, CudaResult>)F("cuFuncSetAttribute");
        FuncGetAttribute = (delegate* unmanaged<int*, FunctionAttribute, nint, CudaResult>)F("cuFuncGetAttribute");
        LaunchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaResult>)
            F("cuLaunchKernel");

        // Since CUDA 11.8; the engine does without.
        LaunchKernelEx = (delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, CudaResult>)export("cuLaunchKernelEx");

        // Since CUDA 12.0; what it is for is asked for on no device that an older driver knows.
        TensorMapEncodeTiled = (delegate* unmanaged<TensorMap*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int,
            CudaResult>)export("cuTensorMapEncodeTiled");

        MemAlloc = (delegate* unmanaged<ulong*, nuint, CudaResult>)F("cuMemAlloc_v2");
        MemFree = (delegate* unmanaged<ulong, CudaResult>)F("cuMemFree_v2");
        MemHostAlloc = (delegate* unmanaged<void**, nuint, uint, CudaResult>)F("cuMemHostAlloc");
        MemFreeHost = (delegate* unmanaged<void*, CudaResult>)F("cuMemFreeHost");
        MemHostGetDevicePointer = (delegate* unmanaged<ulong*, void*, uint, CudaResult>)F("cuMemHostGetDevicePointer_v2");
        MemcpyHtoDAsync = (delegate* unmanaged<ulong, void*, nuint, nint, CudaResult>)F("cuMemcpyHtoDAsync_v2");
        MemcpyDtoHAsync = (delegate* unmanaged<void*, ulong, nuint, nint, CudaResult>)F("cuMemcpyDtoHAsync_v2");
        MemsetD8Async = (delegate* unmanaged<ulong, byte, nuint, nint, CudaResult>)F("cuMemsetD8Async");

        MemGetAllocationGranularity =
            (delegate* unmanaged<nuint*, AllocationProperties*, uint, CudaResult>)F("cuMemGetAllocationGranularity");
        MemAddressReserve = (delegate* unmanaged<ulong*, nuint, nuint, ulong, ulong, CudaResult>)F("cuMemAddressReserve");
        MemAddressFree = (delegate* unmanaged<ulong, nuint, CudaResult>)F("cuMemAddressFree");
        MemCreate = (delegate* unmanaged<ulong*, nuint, AllocationProperties*, ulong, CudaResult>)F("cuMemCreate");
        MemRelease = (delegate* unmanaged<ulong, CudaResult>)F("cuMemRelease");
        MemMap = (delegate* unmanaged<ulong, nuint, nuint, ulong, ulong, CudaResult>)F("cuMemMap");
        MemUnmap = (delegate* unmanaged<ulong, nuint, CudaResult>)F("cuMemUnmap");
        MemSetAccess = (delegate* unmanaged<ulong, nuint, AccessDescriptor*, nuint, CudaResult>)F("cuMemSetAccess");

        StreamCreateWithPriority = (delegate* unmanaged<nint*, uint, int, CudaResult>)F("cuStreamCreateWithPriority");
        StreamDestroy = (delegate* unmanaged<nint, CudaResult>)F("cuStreamDestroy_v2");
        StreamSynchronize = (delegate* unmanaged<nint, CudaResult>)F("cuStreamSynchronize");
        StreamWaitEvent = (delegate* unmanaged<nint, nint, uint, CudaResult>)F("cuStreamWaitEvent");
        StreamBeginCapture = (delegate* unmanaged<nint, uint, CudaResult>)F("cuStreamBeginCapture_v2");
        StreamEndCapture = (delegate* unmanaged<nint, nint*, CudaResult>)F("cuStreamEndCapture");
        GraphInstantiate = (delegate* unmanaged<nint*, nint, ulong, CudaResult>)F("cuGraphInstantiateWithFlags");
        GraphLaunch = (delegate* unmanaged<nint, nint, CudaResult>)F("cuGraphLaunch");
        GraphExecDestroy = (delegate* unmanaged<nint, CudaResult>)F("cuGraphExecDestroy");
        GraphDestroy = (delegate* unmanaged<nint, CudaResult>)F("cuGraphDestroy");

        EventCreate = (delegate* unmanaged<nint*, uint, CudaResult>)F("cuEventCreate");
        EventDestroy = (delegate* unmanaged<nint, CudaResult>)F("cuEventDestroy_v2");
        EventRecord = (delegate* unmanaged<nint, nint, CudaResult>)F("cuEventRecord");
        EventQuery = (delegate* unmanaged<nint, CudaResult>)F("cuEventQuery");
        EventSynchronize = (delegate* unmanaged<nint, CudaResult>)F("cuEventSynchronize");
        EventElapsedTime = (delegate* unmanaged<float*, nint, nint, CudaResult>)F("cuEventElapsedTime");
    }

    /// <summary>What the functions were looked up in.</summary>
    public string Source { get; }

    internal readonly delegate* unmanaged<uint, CudaResult> Init;
    internal readonly delegate* unmanaged<int*, CudaResult> DriverGetVersion;
    internal readonly delegate* unmanaged<CudaResult, byte**, CudaResult> GetErrorName, GetErrorString;

    internal readonly delegate* unmanaged<int*, CudaResult> DeviceGetCount;
    internal readonly delegate* unmanaged<int*, int, CudaResult> DeviceGet;
    internal readonly delegate* unmanaged<byte*, int, int, CudaResult> DeviceGetName;
    internal readonly delegate* unmanaged<int*, DeviceAttribute, int, CudaResult> DeviceGetAttribute;
    internal readonly delegate* unmanaged<nuint*, int, CudaResult> DeviceTotalMem;

    internal readonly delegate* unmanaged<nint*, uint, int, CudaResult> CtxCreate;
    internal readonly delegate* unmanaged<nint, CudaResult> CtxDestroy, CtxPushCurrent;
    internal readonly delegate* unmanaged<nint*, CudaResult> CtxPopCurrent;
    internal readonly delegate* unmanaged<int*, int*, CudaResult> CtxGetStreamPriorityRange;
    internal readonly delegate* unmanaged<nuint*, nuint*, CudaResult> MemGetInfo;

    internal readonly delegate* unmanaged<nint*, void*, uint, int*, void**, CudaResult> ModuleLoadDataEx;
    internal readonly delegate* unmanaged<nint, CudaResult> ModuleUnload;
    internal readonly delegate* unmanaged<nint*, nint, byte*, CudaResult> ModuleGetFunction;
    internal readonly delegate* unmanaged<nint, FunctionAttribute, int, CudaResult> FuncSetAttribute;
    internal readonly delegate* unmanaged<int*, FunctionAttribute, nint, CudaResult> FuncGetAttribute;
    internal readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, CudaResult> LaunchKernel;

    /// <summary>Null where the driver is older than CUDA 11.8.</summary>
    internal readonly delegate* unmanaged<LaunchConfiguration*, nint, void**, void**, CudaResult> LaunchKernelEx;

    /// <summary>Null where the driver is older than CUDA 12.0.</summary>
    internal readonly delegate* unmanaged<TensorMap*, int, uint, ulong, ulong*, ulong*, uint*, uint*, int, int, int, int, CudaResult>
        TensorMapEncodeTiled;

    internal readonly delegate* unmanaged<ulong*, nuint, CudaResult> MemAlloc;
    internal readonly delegate* unmanaged<ulong, CudaResult> MemFree;
    internal readonly delegate* unmanaged<void**, nuint, uint, CudaResult> MemHostAlloc;
    internal readonly delegate* unmanaged<void*, CudaResult> MemFreeHost;
    internal readonly delegate* unmanaged<ulong*, void*, uint, CudaResult> MemHostGetDevicePointer;
    internal readonly delegate* unmanaged<ulong, void*, nuint, nint, CudaResult> MemcpyHtoDAsync;
    internal readonly delegate* unmanaged<void*, ulong, nuint, nint, CudaResult> MemcpyDtoHAsync;
    internal readonly delegate* unmanaged<ulong, byte, nuint, nint, CudaResult> MemsetD8Async;

    internal readonly delegate* unmanaged<nuint*, AllocationProperties*, uint, CudaResult> MemGetAllocationGranularity;
    internal readonly delegate* unmanaged<ulong*, nuint, nuint, ulong, ulong, CudaResult> MemAddressReserve;
    internal readonly delegate* unmanaged<ulong, nuint, CudaResult> MemAddressFree, MemUnmap;
    internal readonly delegate* unmanaged<ulong*, nuint, AllocationProperties*, ulong, CudaResult> MemCreate;
    internal readonly delegate* unmanaged<ulong, CudaResult> MemRelease;
    internal readonly delegate* unmanaged<ulong, nuint, nuint, ulong, ulong, CudaResult> MemMap;
    internal readonly delegate* unmanaged<ulong, nuint, AccessDescriptor*, nuint, CudaResult> MemSetAccess;

    internal readonly delegate* unmanaged<nint*, uint, int, CudaResult> StreamCreateWithPriority;
    internal readonly delegate* unmanaged<nint, CudaResult> StreamDestroy, StreamSynchronize;
    internal readonly delegate* unmanaged<nint, nint, uint, CudaResult> StreamWaitEvent;
    internal readonly delegate* unmanaged<nint, uint, CudaResult> StreamBeginCapture;
    internal readonly delegate* unmanaged<nint, nint*, CudaResult> StreamEndCapture;
    internal readonly delegate* unmanaged<nint*, nint, ulong, CudaResult> GraphInstantiate;
    internal readonly delegate* unmanaged<nint, nint, CudaResult> GraphLaunch;
    internal readonly delegate* unmanaged<nint, CudaResult> GraphExecDestroy, GraphDestroy;

    internal readonly delegate* unmanaged<nint*, uint, CudaResult> EventCreate;
    internal readonly delegate* unmanaged<nint, CudaResult> EventDestroy, EventQuery, EventSynchronize;
    internal readonly delegate* unmanaged<nint, nint, CudaResult> EventRecord;
    internal readonly delegate* unmanaged<float*, nint, nint, CudaResult> EventElapsedTime;

    /// <summary>The driver of this machine.</summary>
    /// <param name="isThere">True if the machine has one, usable or not.</param>
    /// <param name="reason">Why there is none, in words.</param>
    /// <returns>Null where the machine has none, or one that is too old.</returns>
    internal static CudaDriver? Load(out bool isThere, out string? reason)
    {
        string name = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        reason = null;
        isThere = NativeLibrary.TryLoad(name, out nint library);
        if (!isThere)
        {
            reason = $"there is no NVIDIA driver on this machine ({name} was not found)";
            return null;
        }
        try
        {
            return new CudaDriver(name, f => NativeLibrary.TryGetExport(library, f, out nint address) ? address : 0);
        }
        catch (EntryPointNotFoundException e)
        {
            reason = $"the NVIDIA driver is too old: {name} has no {e.Message}";
            return null;
        }
    }
}
