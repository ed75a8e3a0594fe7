using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>One device: its facts and how much of its memory its contexts have taken.</summary>
internal sealed class DriverDevice(int ordinal, VirtualDeviceKind kind, long memoryBytes)
{
    private const int Unit = 256;

    public int Ordinal => ordinal;

    public VirtualDeviceKind Kind => kind;

    public long MemoryBytes => memoryBytes;

    public long Used { get; private set; }

    public bool IsLost { get; set; }

    /// <summary>Seconds that its work would have taken so far, where times are modelled.</summary>
    public double Clock { get; set; }

    /// <summary>What its L2 would hold.</summary>
    public TouchedMemory Touched { get; } = new(kind.Rates?.L2Bytes ?? 0);

    /// <summary>Counts memory as taken.</summary>
    /// <returns>What to give back later.</returns>
    /// <exception cref="DriverException">There is not so much.</exception>
    public long Take(ulong bytes)
    {
        if (bytes > (ulong)(memoryBytes - Used))
            throw new DriverException(DriverResult.OutOfMemory, $"{bytes} bytes of {memoryBytes - Used} that are free");
        long whole = Math.Min(((long)bytes + Unit - 1) / Unit * Unit, memoryBytes - Used);
        Used += whole;
        return whole;
    }

    public void GiveBack(long bytes) => Used -= bytes;

    /// <summary>The value of a CUdevice_attribute; null for one that is not known here.</summary>
    public int? Attribute(int attribute) => attribute switch
    {
        1 => 1024, // threads of a block
        2 or 3 => 1024,
        4 => 64,
        5 => int.MaxValue, // extents of a grid
        6 or 7 => 65535,
        8 => 48 << 10, // shared memory of a block without the kernel's attribute
        9 => 64 << 10,
        10 => 32,
        11 => int.MaxValue,
        12 => 65536,
        13 => kind.ClockKilohertz,
        14 => 512,
        15 or 31 => 1, // copies overlap, kernels run beside each other
        16 => kind.Multiprocessors,
        17 or 18 or 35 => 0, // no time limit, not integrated, no error correction
        19 => 1, // host memory can be mapped
        20 => 0,
        36 => kind.MemoryClockKilohertz,
        37 => kind.MemoryBusBits,
        38 => kind.L2Bytes,
        39 => kind.ThreadsPerMultiprocessor,
        40 => 2,
        41 => 1, // addresses are unified
        75 => kind.Capability / 10,
        76 => kind.Capability % 10,
        78 => 1, // priorities of streams
        81 => kind.SharedBytesPerMultiprocessor,
        82 => 65536,
        97 => kind.SharedBytesPerBlock,
        102 => 1, // virtual memory management
        _ => null,
    };
}
