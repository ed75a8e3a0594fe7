using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>A launch as the model needs it.</summary>
/// <param name="Program">The kernel, scheduled for the card.</param>
/// <param name="Traces">What a sample of its blocks did.</param>
/// <param name="Blocks">Of the grid.</param>
/// <param name="Threads">Of a block.</param>
/// <param name="SharedBytes">Of a block, the kernel's own and dynamic.</param>
/// <param name="Registers">Of a thread.</param>
internal sealed record TracedLaunch(KernelProgram Program, IReadOnlyList<BlockTrace> Traces, long Blocks, int Threads, int SharedBytes,
    int Registers)
{
    public static TracedLaunch Of(LaunchPlan plan, LaunchTrace trace, CardRates card, int registers) =>
        new(KernelProgram.Of(plan.Kernel, card), trace.Blocks, plan.Grid.Count, (int)plan.Block.Count, plan.SharedBytes, registers)
        {
            IsDependent = plan.Dependent is not null,
        };

    /// <summary>Whether it may begin before the launch before it has ended.</summary>
    public bool IsDependent { get; init; }

    /// <summary>Seconds from the end of the launch before to the begin of this one, which holds so many blocks at once.</summary>
    public double StartSeconds(CardRates card, long atOnce) =>
        IsDependent && card.DependentLaunchSeconds > 0 && Blocks <= atOnce ? card.DependentLaunchSeconds : card.LaunchSeconds;
}

/// <summary>
/// The time of a launch: the traces of some of its blocks go through a <see cref="MultiprocessorReplay"/>, with as many blocks as the
/// busiest multiprocessor gets; L2 and device memory of the whole card bound it from below.
/// </summary>
internal static class TimeModel
{
    /// <summary>A resource that is busy for this part of the time is told to be the limit; below it, latency is.</summary>
    private const double Limiting = 0.6;

    /// <param name="launch">The launch.</param>
    /// <param name="card">The card.</param>
    /// <param name="dramBytes">Bytes that device memory must give or take.</param>
    public static ModelledTime Of(TracedLaunch launch, CardRates card, double dramBytes)
    {
        int resident = Resident(launch, card);
        long active = Math.Min(launch.Blocks, card.Multiprocessors);
        long most = (launch.Blocks + card.Multiprocessors - 1) / card.Multiprocessors;
        double l2Bytes = 32.0 * launch.Blocks * launch.Traces.Average(t => (double)t.Warps.Sum(Sectors));
        double dramPerClock = card.DramBytesPerSecond / (card.Gigahertz * 1e9);
        var share = new MultiprocessorShare(resident,
            Math.Min(card.L2BytesPerMultiprocessor, card.L2BytesPerClock / active),
            Math.Min(card.L2BytesPerMultiprocessor, dramPerClock / active),
            l2Bytes == 0 ? 0 : Math.Min(1, dramBytes / l2Bytes));
        (double clocks, Dictionary<TimeLimit, double> busy) = Clocks(launch, card, share, most);
        double clockSeconds = clocks / (card.Gigahertz * 1e9);
        double l2Seconds = l2Bytes / (card.L2BytesPerClock * card.Gigahertz * 1e9), dramSeconds = dramBytes / card.DramBytesPerSecond;
        double start = launch.StartSeconds(card, (long)resident * card.Multiprocessors);
        double kernel = Math.Max(clockSeconds, Math.Max(l2Seconds, dramSeconds)), all = kernel + start;
        var shares = busy.ToDictionary(b => b.Key, b => b.Value / (card.Gigahertz * 1e9) / all);
        shares[TimeLimit.L2] = l2Seconds / all;
        shares[TimeLimit.Dram] = dramSeconds / all;
        shares[TimeLimit.Launch] = start / all;
        shares.Remove(TimeLimit.Latency);
        TimeLimit limit = shares.MaxBy(s => s.Value).Key;
        if (shares[limit] < (limit == TimeLimit.Launch ? 0.5 : Limiting)) limit = TimeLimit.Latency;
        return new(all, limit, shares, resident, (double)launch.Blocks / (resident * (long)card.Multiprocessors))
        {
            Occupied = (double)active / card.Multiprocessors,
        };
    }

    private static int Sectors(WarpTrace warp) => warp.Entries.Sum(e => e.IsBlock ? 0 : e.Sectors);

    /// <summary>Blocks that a multiprocessor holds at once, at least 1.</summary>
    internal static int Resident(TracedLaunch launch, CardRates card)
    {
        int warps = (launch.Threads + 31) / 32, registers = (launch.Registers + 7) / 8 * 8 * 32 * warps;
        int byRegisters = card.Registers / Math.Max(registers, 1), byShared = card.SharedBytes / (launch.SharedBytes + 1024);
        return Math.Max(1, Math.Min(Math.Min(card.Blocks, card.Threads / (32 * warps)), Math.Min(byRegisters, byShared)));
    }

    /// <summary>Many blocks one after the other are some of them and, for the rest, the pace that they have come to.</summary>
    private static (double, Dictionary<TimeLimit, double>) Clocks(TracedLaunch launch, CardRates card, MultiprocessorShare share,
        long blocks)
    {
        int wave = share.Resident;
        ReplayResult Run(long n, int first = 0) =>
            MultiprocessorReplay.Run(launch.Program, card, launch.Traces, share, (int)n, first);
        if (blocks <= 3 * wave)
        {
            // Where blocks differ and a multiprocessor gets few, the one with the longest decides.
            int others = blocks < launch.Traces.Count ? launch.Traces.Count : 1;
            ReplayResult all = Enumerable.Range(0, others).Select(first => Run(blocks, first)).MaxBy(r => r.Clocks)!;
            return (all.Clocks, new(all.Busy));
        }
        long waves = (blocks - 1) / wave - 1, rest = blocks - waves * wave;
        ReplayResult tail = Run(rest), longer = Run(rest + wave);
        return (tail.Clocks + waves * (longer.Clocks - tail.Clocks),
            tail.Busy.ToDictionary(b => b.Key, b => b.Value + waves * (longer.Busy[b.Key] - b.Value)));
    }
}
