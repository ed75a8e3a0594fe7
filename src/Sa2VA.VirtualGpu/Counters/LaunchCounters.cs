using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Counters;

/// <summary>
/// What a launch did, counted. Every number is exact and the same for every seed, unless the kernel itself depends on the order.
/// </summary>
public sealed class LaunchCounters
{
    private readonly long[] byClass = new long[Enum.GetValues<InstructionClass>().Length];

    private LaunchCounters()
    {
    }

    /// <summary>Instructions that warps ran, predicated-off ones too.</summary>
    public long WarpInstructions { get; private set; }

    /// <summary>Lanes that were active, over all instructions; 32 · <see cref="WarpInstructions"/> without divergence and guards.</summary>
    public long ActiveLanes { get; private set; }

    /// <summary>Multiplications and additions on tensor cores, each counted as one.</summary>
    public long TensorOperations { get; private set; }

    /// <summary>Loads, stores, atomics and copies of warps that touched global memory.</summary>
    public long GlobalRequests { get; private set; }

    /// <summary>Distinct sectors of 32 bytes that those requests asked for.</summary>
    public long GlobalSectors { get; private set; }

    /// <summary>Bytes that the lanes of those requests asked for.</summary>
    public long GlobalBytes { get; private set; }

    /// <summary>Loads, stores, atomics, matrix loads and copies of warps that touched shared memory.</summary>
    public long SharedRequests { get; private set; }

    /// <summary>Turns that the banks of shared memory needed for them.</summary>
    public long SharedWavefronts { get; private set; }

    /// <summary>Instructions of one class that warps ran.</summary>
    public long Instructions(InstructionClass of) => byClass[(int)of];

    /// <inheritdoc/>
    public override string ToString()
    {
        var parts = Enum.GetValues<InstructionClass>().Where(c => byClass[(int)c] > 0).Select(c => $"{c} {byClass[(int)c]}");
        return $"{WarpInstructions} warp instructions ({string.Join(", ", parts)}), "
            + $"global {GlobalRequests} requests, {GlobalSectors} sectors, shared {SharedRequests} requests, {SharedWavefronts} wavefronts";
    }

    internal static LaunchCounters Sum(LaunchPlan plan, IEnumerable<BlockCounts> workers)
    {
        const int OperationsOfProduct = 2 * 16 * 8 * 16;
        var sum = new LaunchCounters();
        foreach (BlockCounts counts in workers)
        {
            sum.GlobalBytes += counts.GlobalBytes;
            foreach (Instruction i in plan.Kernel.Code)
            {
                long executed = counts.Executed[i.Index];
                InstructionClass at = i.Class;
                sum.WarpInstructions += executed;
                sum.ActiveLanes += counts.Lanes[i.Index];
                sum.byClass[(int)at] += executed;
                if (at == InstructionClass.Tensor) sum.TensorOperations += counts.Lanes[i.Index] / 32 * OperationsOfProduct;
                sum.GlobalRequests += counts.GlobalRequests[i.Index];
                sum.GlobalSectors += counts.GlobalSectors[i.Index];
                sum.SharedRequests += counts.SharedRequests[i.Index];
                sum.SharedWavefronts += counts.SharedWavefronts[i.Index];
            }
        }
        return sum;
    }
}
