namespace Sa2VA.VirtualGpu.Timing;

/// <summary>What a card can do, for the <see cref="TimeModel"/>: rates of one multiprocessor and clock, latencies, bandwidths.</summary>
/// <remarks>
/// The H200's numbers were measured on one (CUDA 13.0, PTX from NVRTC 12.4). Of the others, units and clocks are NVIDIA's data sheets and
/// programming guide (throughput of instructions by compute capability), latencies those published by micro-benchmarks; what no source
/// gives is the H200's: start of a block, end of a warp's branch, efficiency of memory.
/// </remarks>
public sealed record CardRates
{
    /// <summary>The card.</summary>
    public required string Name { get; init; }

    /// <summary>Streaming multiprocessors.</summary>
    public required int Multiprocessors { get; init; }

    /// <summary>Clock that the card holds under such work, in GHz.</summary>
    public required double Gigahertz { get; init; }

    /// <summary>Clocks for which <c>mma.sync.m16n8k16</c> keeps the tensor core of a quarter of a multiprocessor busy.</summary>
    public required double Tensor { get; init; }

    /// <summary>Clocks for which 16 × 8 × 16 of a warp's share of a <c>wgmma</c> keep that tensor core busy; 0: none.</summary>
    public double WarpgroupTensor { get; init; }

    /// <summary>Clocks from the last arrival or byte at an mbarrier until who waits for it goes on. An estimate.</summary>
    public double MbarrierLatency { get; init; } = 20;

    /// <summary>
    /// Clocks by which a bulk copy takes longer than a load of the same data: its description is fetched, its addresses are made, and an
    /// mbarrier is told. An estimate.
    /// </summary>
    public double BulkLatency { get; init; } = 300;

    /// <summary>Clocks of a warp's float32 instruction in the quarter's units.</summary>
    public required double Float { get; init; }

    /// <summary>Clocks of a warp's float64 instruction.</summary>
    public required double Double { get; init; }

    /// <summary>Clocks of a warp's integer instruction.</summary>
    public double Integer { get; init; } = 2;

    /// <summary>Clocks of a warp's conversion.</summary>
    public double Conversion { get; init; } = 2;

    /// <summary>Clocks of a warp's special function: four lanes a clock in each quarter.</summary>
    public double SpecialFunction { get; init; } = 8;

    /// <summary>Latency of an integer or float32 instruction.</summary>
    public double ArithmeticLatency { get; init; } = 4.5;

    /// <summary>Latency of a special function.</summary>
    public double SpecialLatency { get; init; } = 22;

    /// <summary>Latency of <c>mma.sync.m16n8k16</c>.</summary>
    public required double TensorLatency { get; init; }

    /// <summary>Latency of shared memory, and of shuffles.</summary>
    public double SharedLatency { get; init; } = 29;

    /// <summary>Latency of a load that finds its data in L1.</summary>
    public double L1Latency { get; init; } = 35;

    /// <summary>
    /// Latency of a load that finds its data in L2: more than a chase of pointers finds on an idle card (270 clocks on an H200), less than
    /// norms of few rows take.
    /// </summary>
    public required double L2Latency { get; init; }

    /// <summary>Latency of a load from device memory.</summary>
    public required double DramLatency { get; init; }

    /// <summary>Bytes a clock that L2 gives to all multiprocessors together.</summary>
    public required double L2BytesPerClock { get; init; }

    /// <summary>Bytes a clock that one multiprocessor can take from L2.</summary>
    public double L2BytesPerMultiprocessor { get; init; } = 64;

    /// <summary>Size of L2, as far as it keeps what was used last.</summary>
    public required long L2Bytes { get; init; }

    /// <summary>Bytes a second of device memory that copies reach.</summary>
    public required double DramBytesPerSecond { get; init; }

    /// <summary>Registers of a multiprocessor.</summary>
    public int Registers { get; init; } = 65536;

    /// <summary>Threads of a multiprocessor.</summary>
    public int Threads { get; init; } = 2048;

    /// <summary>Blocks of a multiprocessor.</summary>
    public int Blocks { get; init; } = 32;

    /// <summary>Shared memory of a multiprocessor; a block takes 1 KiB besides its own.</summary>
    public required int SharedBytes { get; init; }

    /// <summary>Barrier of a block: clocks, and clocks more for each of its warps (33 at 4 warps, 58 at 16 on an H200).</summary>
    public (double Base, double PerWarp) Barrier { get; init; } = (25, 2);

    /// <summary>Clocks from the end of a block to the first instruction of the next in its place.</summary>
    public double BlockStart { get; init; } = 300;

    /// <summary>Clocks that a branch costs its warp.</summary>
    public double Branch { get; init; } = 8;

    /// <summary>Seconds of a node of a graph, from the end of one kernel to the begin of the next.</summary>
    public double LaunchSeconds { get; init; } = 0.86e-6;

    /// <summary>
    /// The same of a dependent launch (programmatic serialization) whose blocks are all there at once; 0: the card has none. What of it
    /// runs beside the kernel before is not in it.
    /// </summary>
    public double DependentLaunchSeconds { get; init; }

    /// <summary>Floating-point operations a second of <c>mma.sync</c> on 16-bit operands, at most.</summary>
    public double TensorFlops => 4 * Multiprocessors * Gigahertz * 1e9 * (2 * 16 * 8 * 16) / Tensor;

    /// <summary>Floating-point operations a second of fused float32 products, at most.</summary>
    public double FloatFlops => 4 * Multiprocessors * Gigahertz * 1e9 * (2 * 32) / Float;

    /// <summary>NVIDIA A100 SXM, 80 GB: 2.04 TB/s, of which copies reach 86 %.</summary>
    public static CardRates A100 { get; } = new()
    {
        Name = "A100",
        Multiprocessors = 108,
        Gigahertz = 1.41,
        Tensor = 8,
        Float = 2,
        Double = 4,
        TensorLatency = 33,
        L2Latency = 200,
        DramLatency = 500,
        L2BytesPerClock = 108 * 35,
        L2Bytes = 40 << 20,
        DramBytesPerSecond = 1.75e12,
        SharedBytes = 164 << 10,
        LaunchSeconds = 1.5e-6,
    };

    /// <summary>NVIDIA GeForce RTX 4090: 1.01 TB/s, of which copies reach 92 %.</summary>
    public static CardRates Rtx4090 { get; } = new()
    {
        Name = "RTX 4090",
        Multiprocessors = 128,
        Gigahertz = 2.52,
        Tensor = 32,
        Float = 1,
        Double = 64,
        TensorLatency = 35,
        L2Latency = 296,
        DramLatency = 636,
        L2BytesPerClock = 128 * 15,
        L2Bytes = 72 << 20,
        DramBytesPerSecond = 0.93e12,
        SharedBytes = 100 << 10,
        Threads = 1536,
        Blocks = 24,
        LaunchSeconds = 1.2e-6,
    };

    /// <summary>NVIDIA H100 SXM, 80 GB: an H200 with 3.35 TB/s, of which copies reach 88 %.</summary>
    public static CardRates H100 { get; } = new()
    {
        Name = "H100",
        Multiprocessors = 132,
        Gigahertz = 1.98,
        Tensor = 6,
        WarpgroupTensor = 4,
        Float = 1,
        Double = 2,
        TensorLatency = 33,
        L2Latency = 400,
        DramLatency = 730,
        L2BytesPerClock = 132 * 39,
        L2Bytes = 50 << 20,
        DramBytesPerSecond = 2.95e12,
        SharedBytes = 228 << 10,
        DependentLaunchSeconds = 0.57e-6,
    };

    /// <summary>NVIDIA H200 SXM, 141 GB: copies 4.1 TB/s.</summary>
    public static CardRates H200 { get; } = H100 with
    {
        Name = "H200",
        L2Bytes = 60 << 20,
        DramBytesPerSecond = 4.1e12,
    };
}
