using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Runs the blocks of a launch in a random order over worker threads.</summary>
internal static class Grid
{
    /// <param name="plan">The launch.</param>
    /// <param name="early">Blocks of it that have begun; null if none has.</param>
    public static LaunchCounters Run(LaunchPlan plan, EarlyBlocks? early = null)
    {
        long[]? sample = plan.Options.SampleBlocks > 0 || plan.Trace is not null ? BlockSample.Of(plan) : null;
        // What runs at once: clusters, most often of one block.
        long size = plan.Cluster.Count, blocks = plan.Options.SampleBlocks > 0 ? sample!.Length : plan.Grid.Count / size;
        var order = BlockOrder.Of(blocks, plan.Options.Seed);
        int begun = early?.Count ?? 0, workers = (int)Math.Min(plan.Options.Workers, blocks - begun);
        var counts = new BlockCounts[workers * size];
        long next = begun - 1, failedAt = long.MaxValue;
        Exception? failure = null;
        var gate = new Lock();
        // One block alone races with nobody.
        OwnedRanges? owned = plan.Memory.Owned.IsEmpty ? null : plan.Memory.Owned;
        bool isWatched = plan.Options.WatchesGlobalMemory && (blocks > 1 || owned is not null);
        using LaunchFootprint? own = plan.Touched is null && isWatched ? new() : null;
        LaunchFootprint? footprint = plan.Touched ?? own;
        if (early is not null) EndEarly();
        if (workers == 1) Work(0);
        else if (workers > 0) Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, Work);
        if (failure is BlocksRacedException race) failure = RaceBetween(plan, order, race.Address);
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return LaunchCounters.Sum(plan, [.. counts, .. early?.Counts ?? []], blocks * size);

        void EndEarly()
        {
            try
            {
                if (early.End() is { } raced) throw new BlocksRacedException(raced);
            }
            catch (Exception e)
            {
                failedAt = 0;
                failure = e;
            }
        }

        void Work(int worker)
        {
            using BlockFootprint? touched = footprint is null ? null : new(footprint, watch: null, owned, plan.Dependent?.Early);
            using var block = new Cluster(plan, touched);
            for (int rank = 0; rank < size; rank++) counts[worker * size + rank] = block.Blocks[rank].Counts;
            while (true)
            {
                long n = Interlocked.Increment(ref next);
                if (n >= blocks || n > Volatile.Read(ref failedAt)) return;
                try
                {
                    plan.Cancel.ThrowIfCancellationRequested();
                    long number = plan.Options.SampleBlocks > 0 ? sample![order.At(n)] : order.At(n);
                    BlockTrace? trace = plan.Trace is null || !sample!.Contains(number) ? null
                        : new(((int)plan.Block.Count + 31) / 32, plan.Kernel.Code.Length);
                    block.Run(number, trace);
                    if (block.Footprint?.End() is { } raced) throw new BlocksRacedException(raced);
                    if (trace is not null) plan.Trace!.Add(number, trace);
                }
                catch (Exception e)
                {
                    // What it did counts where launches meet.
                    if (plan.Dependent is not null) block.Footprint?.End();
                    // Of several blocks that fail, the first in the order is told.
                    lock (gate)
                    {
                        if (n >= failedAt) return;
                        failedAt = n;
                        failure = e;
                    }
                    return;
                }
            }
        }
    }

    /// <summary>
    /// Two blocks touched a byte as they may not: which accesses that were, as the same blocks find that do it once more. What memory holds
    /// does not matter after a fault.
    /// </summary>
    private static GpuFaultException RaceBetween(LaunchPlan plan, BlockOrder order, ulong address)
    {
        using var touched = new LaunchFootprint();
        using var watching = new BlockFootprint(touched, new RaceWatch(address));
        using var block = new Cluster(plan.Again(), watching);
        for (long n = 0; n < order.Blocks; n++)
        {
            try
            {
                plan.Cancel.ThrowIfCancellationRequested();
                block.Run(order.At(n));
            }
            catch (GpuFaultException e) when (e.Kind == FaultKind.Race)
            {
                return e;
            }
            catch (GpuFaultException)
            {
                // It met what the first run left behind.
            }
        }
        return new(FaultKind.Race, plan.Kernel.Name, 0, $"{plan.Kernel.Name}: race between blocks at "
            + $"{RaceWatch.Place(plan.Memory, address)}: two of them touched it, one wrote, and nothing orders the "
            + $"blocks of a launch (seed {plan.Options.Seed}; run once more, no two did, so by which lines is not known)");
    }

    /// <summary>Two blocks of a launch raced for a byte.</summary>
    private sealed class BlocksRacedException(ulong address) : Exception
    {
        public ulong Address => address;
    }
}

/// <summary>A seeded order of blocks that needs no memory: n ↦ (n · step + first) modulo their number, step prime to it.</summary>
internal readonly record struct BlockOrder(long Blocks, long Step, long First)
{
    public static BlockOrder Of(long blocks, int seed)
    {
        var random = new Random(seed);
        long step = 1 + random.NextInt64(Math.Min(blocks, int.MaxValue));
        while (Divisor(step, blocks) != 1) step++;
        return new(blocks, step, random.NextInt64(blocks));
    }

    public long At(long n) => (long)((UInt128)n * (ulong)Step % (ulong)Blocks + (ulong)First) % Blocks;

    private static long Divisor(long a, long b) => b == 0 ? a : Divisor(b, a % b);
}

/// <summary>Blocks that stand for all of a grid.</summary>
internal static class BlockSample
{
    /// <summary>Blocks of which traces are kept, if the options do not say how many run.</summary>
    private const int Traced = 6;

    /// <summary>The first, the last, and others at distances that no row of the grid divides, in order; all of a small grid.</summary>
    public static long[] Of(LaunchPlan plan)
    {
        const double GoldenRatio = 0.6180339887498949;
        long blocks = plan.Grid.Count / plan.Cluster.Count;
        int count = plan.Options.SampleBlocks > 0 ? plan.Options.SampleBlocks : Traced;
        int whole = plan.Options.SampleBlocks > 0 ? Math.Max(count, plan.Options.WholeGrids) : count;
        if (blocks <= whole) return [.. Enumerable.Range(0, (int)blocks)];
        var chosen = new SortedSet<long> { 0 };
        if (count > 1) chosen.Add(blocks - 1);
        for (int n = 1; chosen.Count < count; n++) chosen.Add((long)(n * GoldenRatio % 1 * blocks));
        return [.. chosen];
    }
}
