using System.Runtime.InteropServices;
using System.Text;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.VirtualGpu.Tests.Driver;

/// <summary>Calls a virtual driver as a native program would: through the addresses that it exports.</summary>
internal sealed unsafe class NativeDriver : IDisposable
{
    private readonly Dictionary<string, nint> addresses = [];

    public NativeDriver(VirtualDriverOptions? options = null, bool init = true)
    {
        Driver = new(options);
        if (init) Ok(Init());
    }

    public VirtualDriver Driver { get; }

    /// <summary>A driver with little memory and small units, one context on its first device.</summary>
    public static NativeDriver WithContext(VirtualDriverOptions? options = null)
    {
        var native = new NativeDriver(options ?? Small);
        native.Context();
        return native;
    }

    public static VirtualDriverOptions Small { get; } = new() { MemoryBytes = 64 << 20, MappingGranularity = 4096 };

    private nint F(string name)
    {
        if (addresses.TryGetValue(name, out nint known)) return known;
        nint address = Driver.Export(name);
        Assert.True(address != 0, name);
        return addresses[name] = address;
    }

    /// <summary>The call must succeed.</summary>
    public void Ok(DriverResult result)
    {
        if (result == DriverResult.Success) return;
        Assert.Fail($"{Name(result)}: {Text(result)} ({Driver.LastError})");
    }

    public DriverResult Init() => ((delegate* unmanaged<uint, DriverResult>)F("cuInit"))(0);

    public DriverResult On(string function, nint handle) => ((delegate* unmanaged<nint, DriverResult>)F(function))(handle);

    public DriverResult On(string function, nint a, nint b) => ((delegate* unmanaged<nint, nint, DriverResult>)F(function))(a, b);

    public string? Name(DriverResult code) => Text("cuGetErrorName", code);

    public string? Text(DriverResult code) => Text("cuGetErrorString", code);

    private string? Text(string function, DriverResult code)
    {
        byte* text;
        ((delegate* unmanaged<DriverResult, byte**, DriverResult>)F(function))(code, &text);
        return Marshal.PtrToStringUTF8((nint)text);
    }

    // ---- devices and contexts

    public int Version()
    {
        int version;
        Ok(((delegate* unmanaged<int*, DriverResult>)F("cuDriverGetVersion"))(&version));
        return version;
    }

    public DriverResult DeviceCount(out int count)
    {
        fixed (int* p = &count) return ((delegate* unmanaged<int*, DriverResult>)F("cuDeviceGetCount"))(p);
    }

    public string DeviceName(int device)
    {
        byte* name = stackalloc byte[100];
        Ok(((delegate* unmanaged<byte*, int, int, DriverResult>)F("cuDeviceGetName"))(name, 100, device));
        return Marshal.PtrToStringUTF8((nint)name)!;
    }

    public DriverResult Attribute(int attribute, int device, out int value)
    {
        fixed (int* p = &value)
            return ((delegate* unmanaged<int*, int, int, DriverResult>)F("cuDeviceGetAttribute"))(p, attribute, device);
    }

    public long TotalMemory(int device)
    {
        nuint bytes;
        Ok(((delegate* unmanaged<nuint*, int, DriverResult>)F("cuDeviceTotalMem_v2"))(&bytes, device));
        return (long)bytes;
    }

    public DriverResult Context(int device, out nint context)
    {
        fixed (nint* p = &context) return ((delegate* unmanaged<nint*, uint, int, DriverResult>)F("cuCtxCreate_v2"))(p, 0, device);
    }

    public nint Context(int device = 0)
    {
        Ok(Context(device, out nint context));
        return context;
    }

    public DriverResult Pop(out nint context)
    {
        fixed (nint* p = &context) return ((delegate* unmanaged<nint*, DriverResult>)F("cuCtxPopCurrent_v2"))(p);
    }

    /// <summary>Does something in a context.</summary>
    public void In(nint context, Action action)
    {
        Ok(On("cuCtxPushCurrent_v2", context));
        action();
        Ok(Pop(out nint popped));
        Assert.Equal(context, popped);
    }

    public (int Least, int Greatest) Priorities()
    {
        int least, greatest;
        Ok(((delegate* unmanaged<int*, int*, DriverResult>)F("cuCtxGetStreamPriorityRange"))(&least, &greatest));
        return (least, greatest);
    }

    public (long Free, long Total) Memory()
    {
        nuint free, total;
        Ok(((delegate* unmanaged<nuint*, nuint*, DriverResult>)F("cuMemGetInfo_v2"))(&free, &total));
        return ((long)free, (long)total);
    }

    // ---- modules

    public DriverResult Load(byte[] image, out nint module, byte[]? log = null)
    {
        int* keys = stackalloc int[2] { 5, 6 };
        fixed (byte* p = image, to = log)
        {
            void** values = stackalloc void*[2] { to, (void*)(nuint)(log?.Length ?? 0) };
            fixed (nint* m = &module)
                return ((delegate* unmanaged<nint*, void*, uint, int*, void**, DriverResult>)F("cuModuleLoadDataEx"))(
                    m, p, log is null ? 0 : 2u, keys, values);
        }
    }

    public DriverResult Load(string ptx, out nint module) => Load(Encoding.UTF8.GetBytes(ptx + "\0"), out module);

    public DriverResult Function(nint module, string name, out nint function)
    {
        fixed (byte* p = Encoding.UTF8.GetBytes(name + "\0"))
        fixed (nint* f = &function)
            return ((delegate* unmanaged<nint*, nint, byte*, DriverResult>)F("cuModuleGetFunction"))(f, module, p);
    }

    /// <summary>The kernel of that name of a module that is loaded for it.</summary>
    public nint Function(string ptx, string name)
    {
        Ok(Load(ptx, out nint module));
        Ok(Function(module, name, out nint function));
        return function;
    }

    public DriverResult SetAttribute(nint function, int attribute, int value) =>
        ((delegate* unmanaged<nint, int, int, DriverResult>)F("cuFuncSetAttribute"))(function, attribute, value);

    public int Attribute(nint function, int attribute)
    {
        int value;
        Ok(((delegate* unmanaged<int*, int, nint, DriverResult>)F("cuFuncGetAttribute"))(&value, attribute, function));
        return value;
    }

    /// <summary>A launch with 8-byte parameters, along x only.</summary>
    public DriverResult Launch(nint function, uint grid, uint block, nint stream, ReadOnlySpan<ulong> parameters, uint shared = 0)
    {
        fixed (ulong* values = parameters)
        {
            void** pointers = stackalloc void*[parameters.Length];
            for (int n = 0; n < parameters.Length; n++) pointers[n] = values + n;
            DriverResult result = ((delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, DriverResult>)
                F("cuLaunchKernel"))(function, grid, 1, 1, block, 1, 1, shared, stream, pointers, null);
            return result;
        }
    }

    /// <summary>The same by cuLaunchKernelEx, with an attribute: 6 lets it begin before the launch before it has ended.</summary>
    public DriverResult LaunchEarly(nint function, uint grid, uint block, nint stream, ReadOnlySpan<ulong> parameters, bool early,
        int attribute = 6, int value = 1)
    {
        fixed (ulong* values = parameters)
        {
            void** pointers = stackalloc void*[parameters.Length];
            for (int n = 0; n < parameters.Length; n++) pointers[n] = values + n;
            // CUlaunchAttribute has 72 bytes, its value at 8; CUlaunchConfig has seven numbers, the stream at 32, attributes behind it.
            int* attributes = stackalloc int[18];
            (attributes[0], attributes[2]) = (attribute, early ? value : 0);
            // The other sides of a cluster.
            (attributes[3], attributes[4]) = (1, 1);
            nint* configuration = stackalloc nint[7];
            uint* numbers = (uint*)configuration;
            (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6]) = (grid, 1, 1, block, 1, 1, 0);
            (configuration[4], configuration[5], configuration[6]) = (stream, (nint)attributes, 1);
            return ((delegate* unmanaged<void*, nint, void**, void**, DriverResult>)F("cuLaunchKernelEx"))(
                configuration, function, pointers, null);
        }
    }

    // ---- memory

    public DriverResult Allocate(long bytes, out ulong address)
    {
        fixed (ulong* p = &address) return ((delegate* unmanaged<ulong*, nuint, DriverResult>)F("cuMemAlloc_v2"))(p, (nuint)bytes);
    }

    public ulong Allocate(long bytes)
    {
        Ok(Allocate(bytes, out ulong address));
        return address;
    }

    public DriverResult Free(ulong address) => ((delegate* unmanaged<ulong, DriverResult>)F("cuMemFree_v2"))(address);

    public DriverResult HostAllocate(long bytes, out nint memory)
    {
        fixed (nint* p = &memory)
            return ((delegate* unmanaged<void**, nuint, uint, DriverResult>)F("cuMemHostAlloc"))((void**)p, (nuint)bytes, 2);
    }

    public nint HostAllocate(long bytes)
    {
        Ok(HostAllocate(bytes, out nint memory));
        return memory;
    }

    public DriverResult AddressOf(nint host, out ulong address)
    {
        fixed (ulong* p = &address)
            return ((delegate* unmanaged<ulong*, void*, uint, DriverResult>)F("cuMemHostGetDevicePointer_v2"))(p, (void*)host, 0);
    }

    public DriverResult Upload(ulong to, nint from, long bytes, nint stream) =>
        ((delegate* unmanaged<ulong, void*, nuint, nint, DriverResult>)F("cuMemcpyHtoDAsync_v2"))(to, (void*)from, (nuint)bytes, stream);

    public DriverResult Upload(ulong to, ReadOnlySpan<ulong> values, nint stream)
    {
        fixed (ulong* p = values) return Upload(to, (nint)p, 8L * values.Length, stream);
    }

    public DriverResult Download(nint to, ulong from, long bytes, nint stream) =>
        ((delegate* unmanaged<void*, ulong, nuint, nint, DriverResult>)F("cuMemcpyDtoHAsync_v2"))((void*)to, from, (nuint)bytes, stream);

    public ulong[] Download(ulong from, int count, nint stream)
    {
        var result = new ulong[count];
        fixed (ulong* p = result) Ok(Download((nint)p, from, 8L * count, stream));
        return result;
    }

    public DriverResult Copy(ulong to, ulong from, long bytes, nint stream) =>
        ((delegate* unmanaged<ulong, ulong, nuint, nint, DriverResult>)F("cuMemcpyDtoDAsync_v2"))(to, from, (nuint)bytes, stream);

    public DriverResult Fill(ulong to, byte value, long bytes, nint stream) =>
        ((delegate* unmanaged<ulong, byte, nuint, nint, DriverResult>)F("cuMemsetD8Async"))(to, value, (nuint)bytes, stream);

    // ---- mapping

    private static AllocationProperties Properties(int device) => new() { Type = 1, Location = new() { Type = 1, Id = device } };

    public long Granularity()
    {
        nuint bytes;
        AllocationProperties properties = Properties(0);
        Ok(((delegate* unmanaged<nuint*, AllocationProperties*, uint, DriverResult>)F("cuMemGetAllocationGranularity"))(
            &bytes, &properties, 0));
        return (long)bytes;
    }

    public DriverResult Reserve(long bytes, out ulong address)
    {
        fixed (ulong* p = &address)
            return ((delegate* unmanaged<ulong*, nuint, nuint, ulong, ulong, DriverResult>)F("cuMemAddressReserve"))(
                p, (nuint)bytes, 0, 0, 0);
    }

    public DriverResult FreeReservation(ulong address, long bytes) =>
        ((delegate* unmanaged<ulong, nuint, DriverResult>)F("cuMemAddressFree"))(address, (nuint)bytes);

    public DriverResult Create(long bytes, out ulong handle, int device = 0)
    {
        AllocationProperties properties = Properties(device);
        fixed (ulong* p = &handle)
            return ((delegate* unmanaged<ulong*, nuint, AllocationProperties*, ulong, DriverResult>)F("cuMemCreate"))(
                p, (nuint)bytes, &properties, 0);
    }

    public DriverResult Release(ulong handle) => ((delegate* unmanaged<ulong, DriverResult>)F("cuMemRelease"))(handle);

    public DriverResult Map(ulong address, long bytes, ulong handle, long offset = 0) =>
        ((delegate* unmanaged<ulong, nuint, nuint, ulong, ulong, DriverResult>)F("cuMemMap"))(
            address, (nuint)bytes, (nuint)offset, handle, 0);

    public DriverResult Unmap(ulong address, long bytes) =>
        ((delegate* unmanaged<ulong, nuint, DriverResult>)F("cuMemUnmap"))(address, (nuint)bytes);

    public DriverResult SetAccess(ulong address, long bytes, int flags = 3, int device = 0)
    {
        var access = new AccessDescriptor { Location = new() { Type = 1, Id = device }, Flags = flags };
        return ((delegate* unmanaged<ulong, nuint, AccessDescriptor*, nuint, DriverResult>)F("cuMemSetAccess"))(
            address, (nuint)bytes, &access, 1);
    }

    // ---- streams, events, graphs

    public nint Stream(int priority = 0)
    {
        nint stream;
        Ok(((delegate* unmanaged<nint*, uint, int, DriverResult>)F("cuStreamCreateWithPriority"))(&stream, 1, priority));
        return stream;
    }

    public DriverResult Synchronize(nint stream) => On("cuStreamSynchronize", stream);

    public nint Event(uint flags = 0)
    {
        nint made;
        Ok(((delegate* unmanaged<nint*, uint, DriverResult>)F("cuEventCreate"))(&made, flags));
        return made;
    }

    public DriverResult Record(nint recorded, nint stream) => On("cuEventRecord", recorded, stream);

    public DriverResult WaitFor(nint stream, nint awaited) =>
        ((delegate* unmanaged<nint, nint, uint, DriverResult>)F("cuStreamWaitEvent"))(stream, awaited, 0);

    public DriverResult Elapsed(nint start, nint end, out float milliseconds)
    {
        fixed (float* p = &milliseconds)
            return ((delegate* unmanaged<float*, nint, nint, DriverResult>)F("cuEventElapsedTime"))(p, start, end);
    }

    public DriverResult BeginCapture(nint stream, uint mode = 1) =>
        ((delegate* unmanaged<nint, uint, DriverResult>)F("cuStreamBeginCapture_v2"))(stream, mode);

    public DriverResult EndCapture(nint stream, out nint graph)
    {
        fixed (nint* p = &graph) return ((delegate* unmanaged<nint, nint*, DriverResult>)F("cuStreamEndCapture"))(stream, p);
    }

    public nint Instantiate(nint graph)
    {
        nint executable;
        Ok(((delegate* unmanaged<nint*, nint, ulong, DriverResult>)F("cuGraphInstantiateWithFlags"))(&executable, graph, 0));
        return executable;
    }

    public DriverResult LaunchGraph(nint executable, nint stream) => On("cuGraphLaunch", executable, stream);

    public void Dispose() => Driver.Dispose();
}
