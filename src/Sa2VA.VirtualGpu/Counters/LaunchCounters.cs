using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Counters;

/// <summary>
/// What a launch did, counted. Every number is exact and the same for every seed, unless the kernel itself depends on the order; where
/// only a sample of the blocks ran, every number is that of the sample, scaled to all.
/// </summary>
public sealed class LaunchCounters
{
    private readonly long[] byClass = new long[Enum.GetValues<InstructionClass>().Length];

    private LaunchCounters()
    {
    }

    /// <summary>Blocks of the grid.</summary>
    public long Blocks { get; private set; }

    /// <summary>Blocks that ran and were counted.</summary>
    public long CountedBlocks { get; private set; }

    /// <summary>Whether the numbers are scaled from a sample of the blocks.</summary>
    public bool IsScaled => CountedBlocks < Blocks;

    /// <summary>Instructions that warps ran, predicated-off ones too.</summary>
    public long WarpInstructions { get; private set; }

    /// <summary>Lanes that were active, over all instructions; 32 · <see cref="WarpInstructions"/> without divergence and guards.</summary>
    public long ActiveLanes { get; private set; }

    /// <summary>Part of the lanes that were active, 0 … 1.</summary>
    public double LaneShare => WarpInstructions == 0 ? 0 : ActiveLanes / (32.0 * WarpInstructions);

    /// <summary>Branches that some lanes of a warp took and some did not.</summary>
    public long Divergences { get; private set; }

    /// <summary>Multiplications and additions on tensor cores, each counted as one.</summary>
    public long TensorOperations { get; private set; }

    /// <summary>Loads, stores, atomics and copies of warps that touched global memory.</summary>
    public long GlobalRequests { get; private set; }

    /// <summary>Distinct sectors of 32 bytes that those requests asked for.</summary>
    public long GlobalSectors { get; private set; }

    /// <summary>Sectors for one request: 4 where 32 lanes read 4 bytes each side by side, 16 where they read 16.</summary>
    public double SectorsPerRequest => GlobalRequests == 0 ? 0 : (double)GlobalSectors / GlobalRequests;

    /// <summary>Bytes that the lanes of those requests asked for.</summary>
    public long GlobalBytes { get; private set; }

    /// <summary>Loads, stores, atomics, matrix loads and copies of warps that touched shared memory.</summary>
    public long SharedRequests { get; private set; }

    /// <summary>Turns that the banks of shared memory needed for them.</summary>
    public long SharedWavefronts { get; private set; }

    /// <summary>Turns for one request: 1 for 4 bytes a lane without bank conflicts, 4 for 16.</summary>
    public double WavefrontsPerRequest => SharedRequests == 0 ? 0 : (double)SharedWavefronts / SharedRequests;

    /// <summary>
    /// Of each instruction that touched memory, in the order of the kernel, what it asked; empty if memory is not counted.
    /// </summary>
    public IReadOnlyList<AccessCounts> Accesses { get; private set; } = [];

    /// <summary>Instructions of one class that warps ran.</summary>
    public long Instructions(InstructionClass of) => byClass[(int)of];

    /// <inheritdoc/>
    public override string ToString()
    {
        var parts = Enum.GetValues<InstructionClass>().Where(c => byClass[(int)c] > 0).Select(c => $"{c} {byClass[(int)c]}");
        string scaled = IsScaled ? $"{CountedBlocks} of {Blocks} blocks counted and scaled: " : "";
        return scaled + $"{WarpInstructions} warp instructions ({string.Join(", ", parts)}), "
            + $"global {GlobalRequests} requests, {GlobalSectors} sectors, shared {SharedRequests} requests, {SharedWavefronts} wavefronts";
    }

    internal static LaunchCounters Sum(LaunchPlan plan, BlockCounts[] workers, long counted)
    {
        const int OperationsOfProduct = 2 * 16 * 8 * 16;
        var sum = new LaunchCounters { Blocks = plan.Grid.Count, CountedBlocks = counted };
        foreach (BlockCounts counts in workers)
        {
            sum.GlobalBytes += counts.GlobalBytes;
            sum.Divergences += counts.Divergences;
            int first = 0, end = 0;
            foreach (Instruction i in plan.Kernel.Code)
            {
                if (i.Index >= end) (first, end) = (i.Index, i.Index + Math.Max(i.Straight, 1));
                long executed = counts.Executed[first];
                InstructionClass at = i.Class;
                sum.WarpInstructions += executed;
                sum.ActiveLanes += counts.Lanes[first];
                sum.byClass[(int)at] += executed;
                if (at == InstructionClass.Tensor) sum.TensorOperations += counts.Lanes[i.Index] / 32 * OperationsOfProduct;
                if (at == InstructionClass.WarpgroupTensor) sum.TensorOperations += counts.Lanes[i.Index] / 32 * 2 * 16 * i.Width * 16;
                if (!counts.CountsMemory) continue;
                sum.GlobalRequests += counts.GlobalRequests[i.Index];
                sum.GlobalSectors += counts.GlobalSectors[i.Index];
                sum.SharedRequests += counts.SharedRequests[i.Index];
                sum.SharedWavefronts += counts.SharedWavefronts[i.Index];
            }
        }
        if (plan.Options.CountMemory)
            sum.Accesses = [.. plan.Kernel.Code.Select(i => AccessesOf(i, workers)).Where(a => a.GlobalRequests + a.SharedRequests > 0)];
        if (sum.IsScaled) sum.Scale((double)sum.Blocks / counted);
        return sum;
    }

    private static AccessCounts AccessesOf(Instruction i, BlockCounts[] workers) => new(i.Source.Opcode, i.Source.Line)
    {
        GlobalRequests = workers.Sum(w => w.GlobalRequests[i.Index]),
        GlobalSectors = workers.Sum(w => w.GlobalSectors[i.Index]),
        LeastSectors = workers.Sum(w => w.LeastSectors[i.Index]),
        SharedRequests = workers.Sum(w => w.SharedRequests[i.Index]),
        SharedWavefronts = workers.Sum(w => w.SharedWavefronts[i.Index]),
        LeastWavefronts = workers.Sum(w => w.LeastWavefronts[i.Index]),
    };

    private void Scale(double factor)
    {
        long Scaled(long count) => (long)Math.Round(count * factor);
        WarpInstructions = Scaled(WarpInstructions);
        ActiveLanes = Scaled(ActiveLanes);
        Divergences = Scaled(Divergences);
        TensorOperations = Scaled(TensorOperations);
        GlobalRequests = Scaled(GlobalRequests);
        GlobalSectors = Scaled(GlobalSectors);
        GlobalBytes = Scaled(GlobalBytes);
        SharedRequests = Scaled(SharedRequests);
        SharedWavefronts = Scaled(SharedWavefronts);
        for (int n = 0; n < byClass.Length; n++) byClass[n] = Scaled(byClass[n]);
    }
}
