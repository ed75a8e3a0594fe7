using Sa2VA.VirtualGpu.Counters;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>What of a multiprocessor a kernel can use: its share of L2 and of device memory among those that work.</summary>
/// <param name="Resident">Blocks that it holds at once.</param>
/// <param name="L2BytesPerClock">Of L2.</param>
/// <param name="DramBytesPerClock">Of device memory.</param>
/// <param name="DramShare">Part of the sectors asked of L2 that it must fetch from or write to device memory.</param>
internal readonly record struct MultiprocessorShare(int Resident, double L2BytesPerClock, double DramBytesPerClock, double DramShare);

/// <summary>Clocks until the last of a number of blocks has ended, and for how many of them each resource was busy.</summary>
internal sealed record ReplayResult(double Clocks, IReadOnlyDictionary<TimeLimit, double> Busy);

/// <summary>
/// Runs the traces of a kernel's blocks through a model of one multiprocessor: four quarters that issue one instruction a clock each, in
/// order within a warp, when operands are there and the unit is free; one pipe of shared memory and L1; latencies and rates of L2 and
/// device memory; barriers; groups of copies; a new block wherever one ends.
/// </summary>
internal sealed partial class MultiprocessorReplay
{
    private const int Quarters = 4;

    /// <summary>Clocks by which accesses may be issued before the pipe of shared memory takes them, and before L2 does.</summary>
    private const double PipeQueue = 64, MemoryQueue = 1500;

    private readonly KernelProgram program;
    private readonly CardRates card;
    private readonly IReadOnlyList<BlockTrace> traces;
    private readonly MultiprocessorShare share;
    private readonly PriorityQueue<RunningWarp, double> ready = new();
    private readonly double[] issueFree = new double[Quarters], busy = new double[Enum.GetValues<TimeLimit>().Length];
    private readonly double[,] unitFree = new double[Quarters, Enum.GetValues<Unit>().Length];

    // Latencies vary with the slice of L2 and its queues; without that, blocks would keep in step as they do on no card.
    private readonly Random random = new(1);
    private double toWrite, pipeFree, l2Free, dramFree, end;
    private int started, warpsStarted, running, blocks, offset;

    private sealed class RunningBlock(BlockTrace trace)
    {
        public int Live = trace.Warps.Length;
        public readonly Dictionary<int, WaitingBarrier> Barriers = [];
        public readonly Dictionary<int, RunningMbarrier> Mbarriers = Mbarriers(trace);
    }

    private sealed class WaitingBarrier
    {
        public int Arrived;
        public double At;
        public readonly List<RunningWarp> Waiting = [];
    }

    private sealed class RunningWarp(RunningBlock block, WarpTrace trace, int quarter, int registers)
    {
        public readonly RunningBlock Block = block;
        public readonly List<TraceEntry> Entries = trace.Entries;
        public readonly int Quarter = quarter;
        public readonly double[] Ready = new double[registers];
        public readonly List<double> Groups = [], ProductGroups = [], StoreReads = [], StoreGroups = [];
        public readonly Dictionary<int, TraceEntry> Accesses = [];
        public readonly List<TraceEntry> AtMbarriers = [];
        public double Next, Uncommitted, UncommittedProducts, UncommittedReads, UncommittedStores;
        public int Entry, Step;
        public int[] Order = [];
    }

    private MultiprocessorReplay(KernelProgram program, CardRates card, IReadOnlyList<BlockTrace> traces, MultiprocessorShare share)
    {
        this.program = program;
        this.card = card;
        this.traces = traces;
        this.share = share;
    }

    /// <param name="program">The kernel.</param>
    /// <param name="card">The card.</param>
    /// <param name="traces">What a sample of its blocks did.</param>
    /// <param name="share">What the multiprocessor can use.</param>
    /// <param name="blocks">How many it runs, of the sample in turn.</param>
    /// <param name="first">The one of the sample that comes first.</param>
    public static ReplayResult Run(KernelProgram program, CardRates card, IReadOnlyList<BlockTrace> traces, MultiprocessorShare share,
        int blocks, int first = 0)
    {
        var replay = new MultiprocessorReplay(program, card, traces, share) { blocks = blocks, offset = first };
        replay.Run();
        return new(replay.end, Enum.GetValues<TimeLimit>().ToDictionary(l => l, l => replay.busy[(int)l]));
    }

    private void Run()
    {
        for (int n = 0; n < Math.Min(share.Resident, blocks); n++) Start(card.BlockStart);
        while (ready.TryDequeue(out RunningWarp? w, out double at))
        {
            // What was promised may have been taken by another warp since.
            double now = Earliest(w);
            if (now > at + 1e-9) ready.Enqueue(w, now);
            else Issue(w, now);
        }
        if (running > 0) throw new InvalidOperationException($"{running} blocks of the trace wait for what none of their warps does.");
    }

    private void Start(double at)
    {
        BlockTrace trace = traces[(offset + started++) % traces.Count];
        running++;
        var block = new RunningBlock(trace);
        foreach (WarpTrace t in trace.Warps)
        {
            var w = new RunningWarp(block, t, warpsStarted++ % Quarters, program.Registers) { Next = at };
            Array.Fill(w.Ready, at);
            Advance(w, at);
        }
    }

    /// <summary>Goes to the warp's next instruction that takes a slot; folded ones pass their operands on.</summary>
    private void Advance(RunningWarp w, double now)
    {
        while (true)
        {
            for (; w.Step < w.Order.Length; w.Step++)
            {
                MicroOperation o = program.Operations[w.Order[w.Step]];
                if (o.Slots > 0)
                {
                    ready.Enqueue(w, Earliest(w));
                    return;
                }
                double at = 0;
                foreach (int r in o.Reads) at = Math.Max(at, w.Ready[r]);
                foreach (int r in o.Writes) w.Ready[r] = at;
            }
            if (w.Entry == w.Entries.Count) break;
            w.Order = program.OrderOf(w.Entries[w.Entry++].Instruction);
            w.Step = 0;
            w.Accesses.Clear();
            w.AtMbarriers.Clear();
            for (; w.Entry < w.Entries.Count && !w.Entries[w.Entry].IsBlock; w.Entry++)
            {
                TraceEntry e = w.Entries[w.Entry];
                if (e.Mbarrier >= 0) w.AtMbarriers.Add(e);
                else w.Accesses[e.Instruction] = e;
            }
        }
        end = Math.Max(end, now);
        w.Block.Live--;
        if (w.Block.Live == 0)
        {
            running--;
            if (started < blocks) Start(now + card.BlockStart);
        }
        else
            foreach (WaitingBarrier b in w.Block.Barriers.Values) Complete(w.Block, b, 0);
    }

    private double Earliest(RunningWarp w)
    {
        MicroOperation o = program.Operations[w.Order[w.Step]];
        double at = Math.Max(w.Next, issueFree[w.Quarter]);
        foreach (int r in o.Reads) at = Math.Max(at, w.Ready[r]);
        if (o.Unit != Unit.None) at = Math.Max(at, unitFree[w.Quarter, (int)o.Unit]);
        if (o.IsMemory) at = Math.Max(at, Math.Max(pipeFree - PipeQueue, Math.Max(l2Free, dramFree) - MemoryQueue));
        return at;
    }

    private void Issue(RunningWarp w, double now)
    {
        MicroOperation o = program.Operations[w.Order[w.Step++]];
        issueFree[w.Quarter] = now + o.Slots;
        busy[(int)TimeLimit.Issue] += o.Slots / Quarters;
        if (o.Unit != Unit.None)
        {
            unitFree[w.Quarter, (int)o.Unit] = now + o.Busy;
            busy[(int)LimitOf(o.Unit)] += o.Busy / Quarters;
        }
        w.Next = now + o.Slots;
        double done = now + o.Latency;
        switch (o.Kind)
        {
            case OperationKind.Load or OperationKind.Store or OperationKind.Copy:
                done = Access(w, o, now);
                if (o.Kind == OperationKind.Copy) w.Uncommitted = Math.Max(w.Uncommitted, done);
                break;
            case OperationKind.Commit:
                w.Groups.Add(w.Uncommitted);
                w.Uncommitted = 0;
                break;
            case OperationKind.Wait:
                Wait(w, w.Groups, Math.Max(o.Keep, 0));
                if (o.Keep < 0) w.Next = Math.Max(w.Next, w.Uncommitted);
                break;
            case OperationKind.Product:
                w.UncommittedProducts = Multiply(w, o, now);
                break;
            case OperationKind.ProductCommit:
                w.ProductGroups.Add(w.UncommittedProducts);
                w.UncommittedProducts = 0;
                break;
            case OperationKind.ProductWait:
                Wait(w, w.ProductGroups, o.Keep);
                break;
            case OperationKind.BulkStore:
                StoreInBulk(w, o, now);
                break;
            case OperationKind.StoreCommit:
                CommitStores(w);
                break;
            case OperationKind.StoreReadWait:
                WaitKeeping(w, w.StoreReads, o.Keep);
                break;
            case OperationKind.StoreWait:
                WaitKeeping(w, w.StoreGroups, o.Keep);
                break;
            case OperationKind.BulkCopy:
                CopyInBulk(w, o, now);
                break;
            case OperationKind.MbarrierArrive:
                ArriveAtMbarrier(w, o, now);
                break;
            case OperationKind.MbarrierWait when !HasEnded(w, o, ref done):
                return;
            case OperationKind.MbarrierWait:
                w.Next = done;
                break;
            case OperationKind.Branch:
                w.Next = now + o.Slots + o.Latency;
                break;
            case OperationKind.Barrier or OperationKind.Arrive when w.Accesses.TryGetValue(o.Index, out TraceEntry e):
                Arrive(w, o, e, now);
                if (o.Kind == OperationKind.Barrier) return;
                break;
        }
        foreach (int r in o.Writes) w.Ready[r] = done;
        Advance(w, w.Next);
    }

    private static void Wait(RunningWarp w, List<double> groups, int keep)
    {
        int ended = Math.Max(0, groups.Count - keep);
        for (int g = 0; g < ended; g++) w.Next = Math.Max(w.Next, groups[g]);
        groups.RemoveRange(0, ended);
    }

    private static TimeLimit LimitOf(Unit unit) => unit switch
    {
        Unit.Tensor => TimeLimit.Tensor,
        Unit.SpecialFunction => TimeLimit.SpecialFunction,
        Unit.Float or Unit.Double => TimeLimit.Float,
        _ => TimeLimit.Integer,
    };

    /// <summary>Takes an access through the pipe, L2 and device memory.</summary>
    /// <returns>When its data is there.</returns>
    private double Access(RunningWarp w, MicroOperation o, double now)
    {
        if (!w.Accesses.TryGetValue(o.Index, out TraceEntry e)) return now + o.Latency;
        // What comes from L2 is written, four sectors a clock, between accesses where there is time, else instead of them.
        double from = Math.Max(now, pipeFree), written = Math.Min(Math.Max(0, toWrite - (from - pipeFree)), e.Wavefronts);
        toWrite = Math.Max(0, toWrite - (from - pipeFree)) - written;
        if (o.Kind != OperationKind.Store) toWrite += e.Sectors / 4.0;
        pipeFree = from + e.Wavefronts + written;
        busy[(int)TimeLimit.SharedMemory] += e.Wavefronts + (o.Kind == OperationKind.Store ? 0 : e.Sectors / 4.0);
        double done = pipeFree - 1 + o.Latency;
        if (e.Sectors == 0) return e.IsNear ? done : Math.Max(done, now + card.L2Latency);
        return Math.Max(done, Fetch(pipeFree, e.Sectors));
    }

    /// <summary>Takes sectors from L2, and what it misses from device memory; or takes them there.</summary>
    /// <returns>When they have come.</returns>
    private double Fetch(double from, int sectors, double longer = 0)
    {
        double bytes = 32.0 * sectors, missed = bytes * share.DramShare;
        l2Free = Math.Max(l2Free, from) + bytes / share.L2BytesPerClock;
        dramFree = Math.Max(dramFree, from) + missed / share.DramBytesPerClock;
        busy[(int)TimeLimit.L2] += bytes / share.L2BytesPerClock;
        busy[(int)TimeLimit.Dram] += missed / share.DramBytesPerClock;
        double latency = (card.L2Latency + share.DramShare * (card.DramLatency - card.L2Latency)) * (0.75 + 0.5 * random.NextDouble());
        double done = Math.Max(l2Free, dramFree) + latency + longer;
        // A kernel has ended when its stores have arrived.
        end = Math.Max(end, done);
        return done;
    }

    private void Arrive(RunningWarp w, MicroOperation o, in TraceEntry e, double now)
    {
        if (!w.Block.Barriers.TryGetValue(e.Wavefronts, out WaitingBarrier? b)) w.Block.Barriers[e.Wavefronts] = b = new();
        b.Arrived += 32;
        b.At = Math.Max(b.At, now);
        if (o.Kind == OperationKind.Barrier) b.Waiting.Add(w);
        Complete(w.Block, b, e.Amount);
    }

    private void Complete(RunningBlock block, WaitingBarrier b, int expected)
    {
        if (b.Arrived == 0 || b.Arrived < (expected == 0 ? 32 * block.Live : expected)) return;
        double at = b.At + card.Barrier.Base + card.Barrier.PerWarp * (b.Arrived / 32);
        RunningWarp[] released = [.. b.Waiting];
        b.Waiting.Clear();
        b.Arrived = 0;
        b.At = 0;
        foreach (RunningWarp w in released)
        {
            w.Next = at;
            foreach (int r in program.Operations[w.Order[w.Step - 1]].Writes) w.Ready[r] = at;
            Advance(w, at);
        }
    }
}
