using System.Runtime.InteropServices;

namespace Sa2VA.Cuda.Driver;

/// <summary>Return codes of the driver API (CUresult) that are told apart here; others are passed on as numbers.</summary>
internal enum CudaResult
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    UnsupportedPtxVersion = 222,
    InvalidHandle = 400,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchFailed = 719,
    SystemDriverMismatch = 803,
    StreamCaptureInvalidated = 901,
    Unknown = 999,
}

/// <summary>CUdevice_attribute.</summary>
internal enum DeviceAttribute
{
    MaxThreadsPerBlock = 1,
    MaxGridDimX = 5,
    MaxGridDimY = 6,
    MaxGridDimZ = 7,
    ClockRate = 13,
    MultiprocessorCount = 16,
    L2CacheSize = 38,
    MaxThreadsPerMultiprocessor = 39,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    MaxRegistersPerMultiprocessor = 82,
    MaxSharedMemoryPerBlockOptin = 97,
    VirtualMemoryManagementSupported = 102,
}

/// <summary>CUfunction_attribute.</summary>
internal enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    LocalSizeBytes = 3,
    NumRegs = 4,
    BinaryVersion = 6,
    MaxDynamicSharedSizeBytes = 8,
}

/// <summary>CUmemAllocationProp: memory of one device, not shared.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AllocationProperties(int device)
{
    /// <summary>1: pinned.</summary>
    public int Type = 1;
    public int HandleTypes;
    public MemoryLocation Location = new(device);
    public nint Win32HandleMetadata;
    /// <summary>compressionType, gpuDirectRDMACapable, usage, reserved.</summary>
    public ulong Flags;
}

/// <summary>CUmemLocation: a device.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MemoryLocation(int device)
{
    /// <summary>1: a device.</summary>
    public int Type = 1;
    public int Id = device;
}

/// <summary>CUmemAccessDesc: reading and writing by a device.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct AccessDescriptor(int device)
{
    public MemoryLocation Location = new(device);
    /// <summary>3: reading and writing.</summary>
    public int Flags = 3;
}

/// <summary>CUlaunchConfig: a launch with attributes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct LaunchConfiguration(int blocks, int threads, nint stream, LaunchAttribute* attributes, int attributeCount)
{
    public uint GridX = (uint)blocks, GridY = 1, GridZ = 1, BlockX = (uint)threads, BlockY = 1, BlockZ = 1;
    public uint SharedBytes;
    public nint Stream = stream;
    public LaunchAttribute* Attributes = attributes;
    public uint AttributeCount = (uint)attributeCount;
}

/// <summary>CUlaunchAttribute, whose value has 64 bytes: that a launch may begin before those ahead of it have ended.</summary>
[StructLayout(LayoutKind.Sequential, Size = 72)]
internal struct LaunchAttribute()
{
    /// <summary>6: programmatic stream serialization.</summary>
    public int Id = 6;
    private readonly int _padding;
    public int IsAllowed = 1;
}
