namespace Sa2VA.VirtualGpu;

/// <summary>How a virtual device runs kernels.</summary>
public sealed record VirtualDeviceOptions
{
    /// <summary>
    /// Decides in which order warps and blocks run and when copies land. The same seed and one worker repeat a run exactly.
    /// </summary>
    public int Seed { get; init; } = 1;

    /// <summary>
    /// Finds reads of what nothing wrote, races in shared memory and copies in flight. Bounds, alignment, collectives and deadlocks are
    /// checked always.
    /// </summary>
    public bool Checks { get; init; } = true;

    /// <summary>Whether global memory is watched: of a sample of blocks most inputs are what other blocks would have written.</summary>
    internal bool WatchesGlobalMemory => Checks && SampleBlocks == 0;

    /// <summary>
    /// Products on tensor cores to the bit as a Hopper card sums them; false: fused float32 in order of k.
    /// </summary>
    public bool ExactProducts { get; init; } = true;

    /// <summary>
    /// Products that tensor cores add at once where they are exact: 16 as a Hopper card was found to, or 8 as an A100 is said to, which no
    /// card has proven.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is neither.</exception>
    public int ProductTerms
    {
        get;
        init => field = value is 8 or 16 ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, "Tensor cores add 8 or 16 products at once.");
    } = 16;

    /// <summary>Counts sectors and wavefronts as well as instructions.</summary>
    public bool CountMemory { get; init; } = true;

    /// <summary>
    /// 0: every block runs. Else at most so many blocks of each launch, spread over its grid, stand for all: counters are scaled, and what
    /// the launch should have computed is not there. For times of large launches, never for results. Checks are then of what happens
    /// within a block.
    /// </summary>
    public int SampleBlocks { get; init; }

    /// <summary>
    /// Grids of up to so many blocks run whole where others are sampled: they may choose what later launches are led by, a mask for each
    /// object or a token for each chat, and a choice that was not made is any number.
    /// </summary>
    public int WholeGrids { get; init; }

    /// <summary>Compute capability times ten, 80 for 8.0: modules for newer targets are refused.</summary>
    public int Capability { get; init; } = 80;

    /// <summary>Threads that run blocks, at least 1. A result that depends on this number is a fault of the kernel.</summary>
    public int Workers { get; init; } = Environment.ProcessorCount;

    /// <summary>Basic blocks that the warps of one block may enter before it is taken to hang.</summary>
    public long StepLimit { get; init; } = 1_000_000_000;
}
