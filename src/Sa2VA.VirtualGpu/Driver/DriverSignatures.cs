using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Driver;

// The shapes of the driver's functions. Each is a delegate type of its own without type parameters, of blittable parameters only, so that
// native code can be made for it ahead of time.

internal delegate int TakesFlags(uint flags);

internal delegate int TakesHandle(nint handle);

internal delegate int TakesTwoHandles(nint first, nint second);

internal delegate int TakesTwoHandlesAndFlags(nint first, nint second, uint flags);

internal delegate int TakesHandleAndFlags(nint handle, uint flags);

internal delegate int TakesAddress(ulong address);

internal delegate int TakesRange(ulong address, nuint bytes);

internal unsafe delegate int GivesNumber(int* number);

internal unsafe delegate int GivesTwoNumbers(int* first, int* second);

internal unsafe delegate int GivesText(int code, byte** text);

internal unsafe delegate int GivesDevice(int* device, int ordinal);

internal unsafe delegate int GivesDeviceName(byte* name, int length, int device);

internal unsafe delegate int GivesAttribute(int* value, int attribute, int device);

internal unsafe delegate int GivesSize(nuint* bytes, int device);

internal unsafe delegate int GivesTwoSizes(nuint* first, nuint* second);

internal unsafe delegate int GivesHandle(nint* handle);

internal unsafe delegate int GivesHandleByFlags(nint* handle, uint flags);

internal unsafe delegate int GivesContext(nint* context, uint flags, int device);

internal unsafe delegate int GivesStream(nint* stream, uint flags, int priority);

internal unsafe delegate int GivesModule(nint* module, void* image, uint options, int* keys, void** values);

internal unsafe delegate int GivesFunction(nint* function, nint module, byte* name);

internal unsafe delegate int GivesFunctionAttribute(int* value, int attribute, nint function);

internal delegate int TakesFunctionAttribute(nint function, int attribute, int value);

internal unsafe delegate int Launches(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
    uint sharedBytes, nint stream, void** parameters, void** extra);

internal unsafe delegate int LaunchesAs(LaunchConfiguration* configuration, nint function, void** parameters, void** extra);

internal unsafe delegate int GivesAddress(ulong* address, nuint bytes);

internal unsafe delegate int GivesHostMemory(void** memory, nuint bytes, uint flags);

internal unsafe delegate int TakesHostMemory(void* memory);

internal unsafe delegate int GivesAddressOfHostMemory(ulong* address, void* memory, uint flags);

internal unsafe delegate int Uploads(ulong to, void* from, nuint bytes, nint stream);

internal unsafe delegate int Downloads(void* to, ulong from, nuint bytes, nint stream);

internal delegate int Copies(ulong to, ulong from, nuint bytes, nint stream);

internal delegate int Fills(ulong to, byte value, nuint bytes, nint stream);

internal unsafe delegate int GivesGranularity(nuint* bytes, AllocationProperties* properties, uint option);

internal unsafe delegate int GivesReservation(ulong* address, nuint bytes, nuint alignment, ulong wanted, ulong flags);

internal unsafe delegate int GivesMemory(ulong* handle, nuint bytes, AllocationProperties* properties, ulong flags);

internal delegate int Maps(ulong address, nuint bytes, nuint offset, ulong handle, ulong flags);

internal unsafe delegate int TakesAccess(ulong address, nuint bytes, AccessDescriptor* access, nuint count);

internal unsafe delegate int GivesHandleOf(nint handle, nint* result);

internal unsafe delegate int GivesExecutable(nint* executable, nint graph, ulong flags);

internal unsafe delegate int EncodesTensorMap(void* map, int type, uint rank, ulong address, ulong* dimensions, ulong* strides, uint* box,
    uint* steps, int interleave, int swizzle, int promotion, int fill);

internal unsafe delegate int GivesTime(float* milliseconds, nint start, nint end);

/// <summary>CUlaunchConfig.</summary>
internal unsafe struct LaunchConfiguration
{
    public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
    public nint Stream;
    public LaunchAttribute* Attributes;
    public uint Count;
}

/// <summary>CUlaunchAttribute: the begin of its value.</summary>
[StructLayout(LayoutKind.Explicit, Size = 72)]
internal struct LaunchAttribute
{
    [FieldOffset(0)]
    public int Id;

    [FieldOffset(8)]
    public int Value;

    [FieldOffset(12)]
    public uint Second;

    [FieldOffset(16)]
    public uint Third;
}

/// <summary>CUmemLocation.</summary>
internal struct MemoryLocation
{
    /// <summary>1: a device.</summary>
    public int Type;
    public int Id;
}

/// <summary>CUmemAllocationProp.</summary>
internal struct AllocationProperties
{
    /// <summary>1: pinned.</summary>
    public int Type;
    public int HandleTypes;
    public MemoryLocation Location;
    public nint Win32HandleMetadata;
    public ulong Flags;
}

/// <summary>CUmemAccessDesc.</summary>
internal struct AccessDescriptor
{
    public MemoryLocation Location;

    /// <summary>0 none, 1 reading, 3 reading and writing.</summary>
    public int Flags;
}
