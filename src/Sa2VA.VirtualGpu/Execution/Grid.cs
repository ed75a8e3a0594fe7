using Sa2VA.VirtualGpu.Counters;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Runs the blocks of a launch in a random order over worker threads.</summary>
internal static class Grid
{
    public static LaunchCounters Run(LaunchPlan plan)
    {
        long blocks = plan.Grid.Count;
        var order = BlockOrder.Of(blocks, plan.Options.Seed);
        int workers = (int)Math.Min(plan.Options.Workers, blocks);
        var counts = new BlockCounts[workers];
        long next = -1, failedAt = long.MaxValue;
        Exception? failure = null;
        var gate = new Lock();
        if (workers == 1) Work(0);
        else Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, Work);
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return LaunchCounters.Sum(plan, counts);

        void Work(int worker)
        {
            using var block = new ThreadBlock(plan);
            counts[worker] = block.Counts;
            while (true)
            {
                long n = Interlocked.Increment(ref next);
                if (n >= blocks || n > Volatile.Read(ref failedAt)) return;
                try
                {
                    plan.Cancel.ThrowIfCancellationRequested();
                    block.Run(order.At(n));
                }
                catch (Exception e)
                {
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
