using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>What a virtual device says of itself: the facts of a card on which launches and allocations depend.</summary>
public sealed record VirtualDeviceKind
{
    /// <summary>As cuDeviceGetName gives it.</summary>
    public required string Name { get; init; }

    /// <summary>Compute capability times ten: 80 for 8.0. Modules for newer targets are refused.</summary>
    public required int Capability { get; init; }

    /// <summary>Streaming multiprocessors.</summary>
    public required int Multiprocessors { get; init; }

    /// <summary>Device memory.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Shared memory that one block may have once its kernel's attribute allows it.</summary>
    public required int SharedBytesPerBlock { get; init; }

    /// <summary>Shared memory of a multiprocessor.</summary>
    public required int SharedBytesPerMultiprocessor { get; init; }

    /// <summary>Size of the L2 cache.</summary>
    public required int L2Bytes { get; init; }

    /// <summary>Highest clock of the multiprocessors, in kHz.</summary>
    public required int ClockKilohertz { get; init; }

    /// <summary>Clock of the memory, in kHz.</summary>
    public required int MemoryClockKilohertz { get; init; }

    /// <summary>Width of the memory's bus, in bits.</summary>
    public required int MemoryBusBits { get; init; }

    /// <summary>Threads that a multiprocessor holds.</summary>
    public int ThreadsPerMultiprocessor { get; init; } = 2048;

    /// <summary>How fast it is; null for a device whose launches cannot be given times.</summary>
    public CardRates? Rates { get; init; }

    /// <summary>NVIDIA A100, 80 GB.</summary>
    public static VirtualDeviceKind A100 { get; } = new()
    {
        Name = "Virtual A100",
        Rates = CardRates.A100,
        Capability = 80,
        Multiprocessors = 108,
        MemoryBytes = 80L << 30,
        SharedBytesPerBlock = 163 << 10,
        SharedBytesPerMultiprocessor = 164 << 10,
        L2Bytes = 40 << 20,
        ClockKilohertz = 1_410_000,
        MemoryClockKilohertz = 1_593_000,
        MemoryBusBits = 5120,
    };

    /// <summary>NVIDIA GeForce RTX 4090.</summary>
    public static VirtualDeviceKind Rtx4090 { get; } = new()
    {
        Name = "Virtual RTX 4090",
        Rates = CardRates.Rtx4090,
        Capability = 89,
        Multiprocessors = 128,
        MemoryBytes = 24L << 30,
        SharedBytesPerBlock = 99 << 10,
        SharedBytesPerMultiprocessor = 100 << 10,
        L2Bytes = 72 << 20,
        ClockKilohertz = 2_520_000,
        MemoryClockKilohertz = 10_501_000,
        MemoryBusBits = 384,
        ThreadsPerMultiprocessor = 1536,
    };

    /// <summary>NVIDIA H100 SXM, 80 GB.</summary>
    public static VirtualDeviceKind H100 { get; } = new()
    {
        Name = "Virtual H100",
        Rates = CardRates.H100,
        Capability = 90,
        Multiprocessors = 132,
        MemoryBytes = 80L << 30,
        SharedBytesPerBlock = 227 << 10,
        SharedBytesPerMultiprocessor = 228 << 10,
        L2Bytes = 50 << 20,
        ClockKilohertz = 1_980_000,
        MemoryClockKilohertz = 2_619_000,
        MemoryBusBits = 5120,
    };

    /// <summary>NVIDIA H200 SXM, 141 GB.</summary>
    public static VirtualDeviceKind H200 { get; } = H100 with
    {
        Name = "Virtual H200",
        Rates = CardRates.H200,
        MemoryBytes = 141L << 30,
        MemoryClockKilohertz = 3_201_000,
        MemoryBusBits = 6144,
    };
}
