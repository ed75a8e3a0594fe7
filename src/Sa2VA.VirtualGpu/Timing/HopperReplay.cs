namespace Sa2VA.VirtualGpu.Timing;

/// <summary>
/// What runs beside the warps of a multiprocessor: products of warpgroups, bulk copies, and the mbarriers that tell of them.
/// </summary>
internal sealed partial class MultiprocessorReplay
{
    /// <summary>An mbarrier: its phases end at times that are known when the last arrival and copy have been issued.</summary>
    private sealed class RunningMbarrier(int count)
    {
        public int Pending;
        public long Bytes;
        public double At;
        public readonly List<double> Ended = [];
        public readonly List<(RunningWarp Warp, int Phases)> Waiting = [];

        public void Settle()
        {
            if (Pending > 0 || Bytes != 0) return;
            Ended.Add(At);
            Pending = count;
            At = 0;
        }
    }

    private static Dictionary<int, RunningMbarrier> Mbarriers(BlockTrace trace)
    {
        var made = new Dictionary<int, RunningMbarrier>();
        foreach ((int address, int count) in trace.Mbarriers) made[address] = new(count) { Pending = count };
        return made;
    }

    /// <summary>When shared memory has given and taken what products and bulk copies have asked it for, beside what warps ask.</summary>
    private double operandsFree;

    /// <summary>
    /// A tensor core takes the products of its warps one after the other, no sooner than their operands come; a warp goes on meanwhile.
    /// </summary>
    /// <returns>When the sums are there.</returns>
    private double Multiply(RunningWarp w, MicroOperation o, double now)
    {
        ref double free = ref unitFree[w.Quarter, (int)Unit.Tensor];
        operandsFree = Math.Max(operandsFree, now) + o.Wavefronts;
        free = Math.Max(Math.Max(free, now) + o.Busy, operandsFree);
        busy[(int)TimeLimit.Tensor] += o.Busy / Quarters;
        busy[(int)TimeLimit.SharedMemory] += o.Wavefronts;
        return free + o.Latency;
    }

    private void CopyInBulk(RunningWarp w, MicroOperation o, double now)
    {
        foreach (TraceEntry e in w.AtMbarriers)
        {
            if (e.Instruction != o.Index) continue;
            // What comes is written to shared memory between other accesses; it needs no turn of theirs to be asked for.
            toWrite += e.Wavefronts;
            operandsFree = Math.Max(operandsFree, now) + e.Wavefronts;
            busy[(int)TimeLimit.SharedMemory] += e.Wavefronts;
            double done = Fetch(now, e.Sectors, card.BulkLatency);
            RunningMbarrier b = w.Block.Mbarriers[e.Mbarrier];
            b.At = Math.Max(b.At, done);
            b.Bytes -= e.Amount;
            Settle(b);
        }
    }

    /// <summary>Reads shared memory between other accesses, then goes to L2.</summary>
    private void StoreInBulk(RunningWarp w, MicroOperation o, double now)
    {
        if (!w.Accesses.TryGetValue(o.Index, out TraceEntry e)) return;
        operandsFree = Math.Max(operandsFree, now) + e.Wavefronts;
        busy[(int)TimeLimit.SharedMemory] += e.Wavefronts;
        double read = operandsFree + card.SharedLatency;
        w.UncommittedReads = Math.Max(w.UncommittedReads, read);
        w.UncommittedStores = Math.Max(w.UncommittedStores, Fetch(read, e.Sectors, card.BulkLatency));
    }

    /// <summary>The uncommitted stores are a group; a group's times are no sooner than those of the groups before it.</summary>
    private static void CommitStores(RunningWarp w)
    {
        w.StoreReads.Add(Math.Max(w.UncommittedReads, w.StoreReads.LastOrDefault()));
        w.StoreGroups.Add(Math.Max(w.UncommittedStores, w.StoreGroups.LastOrDefault()));
        w.UncommittedReads = w.UncommittedStores = 0;
    }

    /// <summary>Waits for all but the last groups, which stay known: another wait may ask less of them.</summary>
    private static void WaitKeeping(RunningWarp w, List<double> groups, int keep)
    {
        if (groups.Count > keep) w.Next = Math.Max(w.Next, groups[groups.Count - keep - 1]);
    }

    private void ArriveAtMbarrier(RunningWarp w, MicroOperation o, double now)
    {
        foreach (TraceEntry e in w.AtMbarriers)
        {
            if (e.Instruction != o.Index) continue;
            RunningMbarrier b = w.Block.Mbarriers[e.Mbarrier];
            if (o.Expects) b.Bytes += e.Amount;
            b.Pending -= e.Wavefronts;
            if (o.Arrives) b.At = Math.Max(b.At, now);
            Settle(b);
        }
    }

    /// <summary>Whether the phase that a warp waits for has an end; if not, the warp is told of it later.</summary>
    private static bool HasEnded(RunningWarp w, MicroOperation o, ref double done)
    {
        foreach (TraceEntry e in w.AtMbarriers)
        {
            if (e.Instruction != o.Index) continue;
            RunningMbarrier b = w.Block.Mbarriers[e.Mbarrier];
            if (b.Ended.Count < e.Amount)
            {
                b.Waiting.Add((w, e.Amount));
                return false;
            }
            if (e.Amount > 0) done = Math.Max(done, b.Ended[e.Amount - 1] + o.Latency);
        }
        return true;
    }

    private void Settle(RunningMbarrier b)
    {
        int before = b.Ended.Count;
        b.Settle();
        if (b.Ended.Count == before) return;
        (RunningWarp Warp, int Phases)[] released = [.. b.Waiting.Where(x => x.Phases <= b.Ended.Count)];
        b.Waiting.RemoveAll(x => x.Phases <= b.Ended.Count);
        foreach ((RunningWarp w, int phases) in released)
        {
            MicroOperation o = program.Operations[w.Order[w.Step - 1]];
            w.Next = Math.Max(w.Next, b.Ended[phases - 1]) + o.Latency;
            foreach (int r in o.Writes) w.Ready[r] = w.Next;
            Advance(w, w.Next);
        }
    }
}
