using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Lowering;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>What a launch is, the same for all its blocks; Variables are the addresses of the module's variables.</summary>
internal sealed record LaunchPlan(LoweredKernel Kernel, Dim3 Grid, Dim3 Block, int SharedBytes, byte[] Parameters,
    ulong[] Variables, DeviceMemory Memory, VirtualDeviceOptions Options, CancellationToken Cancel)
{
    /// <summary>Receives what a sample of the blocks does, or null.</summary>
    public LaunchTrace? Trace { get; init; }

    /// <summary>Receives what the blocks touch of global memory, or null.</summary>
    public LaunchFootprint? Touched { get; init; }

    /// <summary>For whom a block works, of those who own memory; null: for all.</summary>
    public Func<Dim3, string?>? OwnerOf { get; init; }

    /// <summary>Not null if it may begin before the launch before it has ended.</summary>
    public DependentLaunch? Dependent { get; init; }

    /// <summary>Blocks of a cluster along each dimension of the grid.</summary>
    public Dim3 Cluster { get; init; } = new(1);

    /// <summary>The same once more, told to nobody.</summary>
    public LaunchPlan Again() => this with { Trace = null, Touched = null, Dependent = Dependent is null ? null : new(early: null) };
}

/// <summary>What a block did when it was its turn.</summary>
internal enum BlockStep
{
    Went,
    Ended,

    /// <summary>Nothing: all its warps wait for others.</summary>
    Stuck,
}

/// <summary>A thread block: its warps, its shared memory and its barriers. One object runs many blocks, one after the other.</summary>
internal sealed unsafe class ThreadBlock : IDisposable
{
    public const int BarrierCount = 16;

    private const int MostQuantum = 16;

    private readonly LaunchPlan plan;
    private readonly Cluster? cluster;

    /// <summary>Of warps of other blocks of the cluster the last access to this block's shared memory: its step, and where.</summary>
    private readonly Dictionary<int, (uint Step, Warp Warp, Instruction At)> reached = [];
    private readonly Warp[] warps;
    private readonly Warp[] ready;
    private readonly Barrier[] barriers = [.. Enumerable.Range(0, BarrierCount).Select(_ => new Barrier())];
    private readonly byte* registers;
    private readonly LocalMemory? local;
    private long steps;
    private bool waitedForGrid, letsGo, letsGoLate;

    private sealed class Barrier
    {
        public int Arrived, Expected;
        public int Line;
        public bool KnowsBefore;
        public uint[]? Known;
        public BarrierVote Vote;
        public readonly List<Warp> Waiting = [];

        public void Clear()
        {
            Arrived = Expected = 0;
            Known = null;
            KnowsBefore = false;
            Vote = default;
            Waiting.Clear();
        }
    }

    /// <param name="plan">The launch.</param>
    /// <param name="footprint">Receives what blocks touch in global memory, or null.</param>
    /// <param name="cluster">The cluster of several blocks that it belongs to, or null.</param>
    /// <param name="rank">Which of the cluster's it is.</param>
    public ThreadBlock(LaunchPlan plan, BlockFootprint? footprint, Cluster? cluster = null, int rank = 0)
    {
        this.plan = plan;
        this.cluster = cluster;
        Rank = rank;
        Footprint = footprint;
        ExactProducts = plan.Options.ExactProducts;
        ProductTerms = plan.Options.ProductTerms;
        int count = (int)(plan.Block.Count + 31) / 32, bytes = Kernel.RegisterBytes;
        warps = new Warp[count];
        ready = new Warp[count];
        registers = (byte*)NativeMemory.AlignedAlloc((nuint)((long)count * bytes), 128);
        NativeMemory.Clear(registers, (nuint)((long)count * bytes));
        Shared = (byte*)NativeMemory.AlignedAlloc((nuint)SharedBytes + 128, 1024);
        for (int w = 0; w < count; w++)
        {
            warps[w] = new(this, w, registers + (long)w * bytes);
            foreach (ConstantRow row in Kernel.Constants) Fill(warps[w].Rows + row.Offset, row);
            foreach (SpecialRow row in Kernel.Specials)
                for (int lane = 0; lane < 32; lane++)
                    ((uint*)(warps[w].Rows + row.Offset))[lane] =
                        SpecialRegisters.Value(row.Name, 32 * w + lane, plan, default);
            foreach (VariableRow row in Kernel.Variables)
                Fill(warps[w].Rows + row.Offset, new(row.Offset, plan.Variables[row.Variable], 256));
        }
        Parameters = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(plan.Parameters.Length, 1), 128);
        plan.Parameters.CopyTo(new Span<byte>(Parameters, plan.Parameters.Length));
        if (Kernel.LocalBytes > 0) local = new(32 * count, Kernel.LocalBytes, plan.Options.Checks);
        Counts = new(Kernel.Code.Length, plan.Options.CountMemory || plan.Trace is not null);
        LastHit = new Allocation?[Kernel.Code.Length];
        if (cluster is not null) Shadow = cluster.Shadow;
        else if (plan.Options.Checks) Shadow = SharedShadow.Take(1, count, SharedBytes, Kernel);
        ClusterBarrier = cluster?.Barrier ?? new([this]);
        Mbarriers = new(this, warps);
    }

    public LoweredKernel Kernel => plan.Kernel;

    public DeviceMemory Memory => plan.Memory;

    public byte* Parameters { get; }

    public int SharedBytes => plan.SharedBytes;

    public bool ExactProducts { get; }

    public int ProductTerms { get; }

    /// <summary>Whether what the block that runs asks of memory is counted.</summary>
    public bool CountsMemory { get; private set; }

    /// <summary>What the block that runs does, step by step; null where nobody asks.</summary>
    public BlockTrace? Trace { get; private set; }

    public int Seed => plan.Options.Seed;

    public byte* Shared { get; }

    public SharedShadow? Shadow { get; }

    /// <summary>What the block that runs touches in global memory; null where nobody looks for races between blocks.</summary>
    public BlockFootprint? Footprint { get; }

    public BlockCounts Counts { get; }

    public MbarrierTable Mbarriers { get; }

    /// <summary>Bulk copies in flight.</summary>
    public List<BulkCopy> BulkCopies { get; } = [];

    /// <summary>Bulk stores that have not been waited for.</summary>
    public List<BulkStore> BulkStores { get; } = [];

    /// <summary>Whether an access to global memory may meet one of them, where that is checked.</summary>
    public bool StoresInFlight => BulkStores.Count > 0 && Checks;

    /// <summary>Registers, for each of 32 threads, that warps have given back and none has taken.</summary>
    public int FreeRegisters { get; set; }

    public bool Checks => plan.Options.Checks;

    public ReadOnlySpan<Warp> Warps => warps;

    public int WarpCount => warps.Length;

    /// <summary>Of each instruction the allocation that it hit last.</summary>
    public Allocation?[] LastHit { get; }

    /// <summary>Basic blocks that its warps have entered.</summary>
    public long Steps => steps;

    public Random Random { get; private set; } = new(0);

    /// <summary>Whether the launch before has not ended: <c>griddepcontrol.wait</c> does not end.</summary>
    public bool IsHeld { get; private set; }

    public Dim3 At { get; private set; }

    /// <summary>Which block of its cluster it is, and how many there are.</summary>
    public int Rank { get; }

    public int ClusterSize => cluster?.Blocks.Count ?? 1;

    /// <summary>The first block of its cluster.</summary>
    public Dim3 ClusterAt => cluster?.Blocks[0].At ?? At;

    public ClusterBarrier ClusterBarrier { get; }

    /// <summary>Whether all its warps have ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Where its shared memory begins in the shadow.</summary>
    public int ShadowBase => Rank * SharedShadow.Room(SharedBytes);

    private static void Fill(byte* row, ConstantRow constant)
    {
        if (constant.Bytes == 4) *(uint*)row = (uint)constant.Value;
        else if (constant.Bytes == 256) new Span<ulong>(row, 32).Fill(constant.Value);
        else new Span<uint>(row, 32).Fill((uint)constant.Value);
    }

    /// <summary>Runs the block at that place of the grid to its end.</summary>
    /// <param name="number">The place.</param>
    /// <param name="trace">Receives what it does, or null.</param>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public void Run(long number, BlockTrace? trace = null) => Start(number, held: false, trace);

    /// <summary>Runs the block at that place of the grid to its end, or to where it waits for the launch before.</summary>
    /// <returns>Whether it has ended.</returns>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public bool Start(long number, bool held, BlockTrace? trace = null)
    {
        Shadow?.Begin();
        Prepare(number, trace);
        IsHeld = held;
        return Advance();
    }

    /// <summary>Makes it the block at that place of the grid, of which no instruction has run.</summary>
    public void Prepare(long number, BlockTrace? trace = null)
    {
        Trace = trace;
        CountsMemory = plan.Options.CountMemory || trace is not null;
        Begin(number);
    }

    /// <summary>The launch before has ended: the block runs to its end.</summary>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public void Resume()
    {
        IsHeld = false;
        // Memory may have been taken away meanwhile.
        Array.Clear(LastHit);
        foreach (Warp w in warps) w.Resume(WarpState.AtGridBefore);
        Advance();
    }

    private bool Advance()
    {
        while (true)
        {
            BlockStep step = Step();
            if (step == BlockStep.Ended) return true;
            if (step == BlockStep.Went) continue;
            if (IsHeld && Array.Exists(warps, w => w.State == WarpState.AtGridBefore)) return false;
            throw Deadlock([this]);
        }
    }

    /// <summary>Runs a warp for a turn, or has a copy land.</summary>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public BlockStep Step()
    {
        int count = 0;
        bool done = true;
        foreach (Warp w in warps)
        {
            if (w.State == WarpState.Ready) ready[count++] = w;
            done &= w.State == WarpState.Done;
        }
        if (done)
        {
            End();
            return BlockStep.Ended;
        }
        if (BulkCopies.Count > 0 && (count == 0 || Random.Next(4) == 0)) LandOne();
        else if (count > 0) ready[Random.Next(count)].Run(1 + Random.Next(MostQuantum));
        else return BlockStep.Stuck;
        return BlockStep.Went;
    }

    private void End()
    {
        plan.Dependent?.Ended(waitedForGrid, letsGo ? letsGoLate : waitedForGrid);
        if (BulkStores.Count > 0) Execution.BulkStores.End(BulkStores);
        if (BulkCopies.Count > 0)
        {
            BulkCopy open = BulkCopies[0];
            throw open.Warp.Fault(FaultKind.CopyInFlight, open.Issued, "the block ends before this bulk copy has been waited for");
        }
        HasEnded = true;
        foreach ((int actor, (uint step, Warp warp, Instruction i)) in reached)
            if (Array.TrueForAll(warps, w => Shadow!.Knows(w.Actor, actor) < step))
                throw warp.Fault(FaultKind.EndedBlock, i, $"block {At} ends while warp {warp.Id} of block {warp.Block.At} may still use "
                    + "its shared memory: no barrier of the cluster, and no mbarrier, says before its end that this is over");
    }

    /// <summary>The block of the cluster whose shared memory has that place of the shadow.</summary>
    public ThreadBlock OfCell(int place) => cluster is null ? this : cluster.Blocks[place / SharedShadow.Room(SharedBytes)];

    /// <summary>A warp of the cluster uses shared memory of another block than its own, or of its own by such an address.</summary>
    /// <param name="w">The warp.</param>
    /// <param name="i">What it runs.</param>
    /// <param name="rank">The other block.</param>
    /// <param name="isCopy">Whether the other block waits for the end of it in any case.</param>
    public ThreadBlock Reach(Warp w, Instruction i, int rank, bool isCopy = false)
    {
        if (cluster is null || rank == Rank) return this;
        ThreadBlock other = cluster.Blocks[rank];
        if (other.HasEnded)
            throw w.Fault(FaultKind.EndedBlock, i, $"warp {w.Id} uses shared memory of block {other.At} of its cluster, which has ended");
        if (Shadow is not null && !isCopy) other.reached[w.Actor] = (Shadow.Knows(w.Actor, w.Actor), w, i);
        return other;
    }

    private void LandOne()
    {
        int n = Random.Next(BulkCopies.Count);
        BulkCopy copy = BulkCopies[n];
        BulkCopies[n] = BulkCopies[^1];
        BulkCopies.RemoveAt(BulkCopies.Count - 1);
        Execution.BulkCopies.Land(copy);
    }

    private void Begin(long number)
    {
        At = new((int)(number % plan.Grid.X), (int)(number / plan.Grid.X % plan.Grid.Y), (int)(number / plan.Grid.X / plan.Grid.Y));
        if (Footprint is not null) Footprint.Owner = plan.OwnerOf?.Invoke(At);
        Random = new(unchecked((int)(Seed * 7919L + number * 104729)));
        steps = 0;
        NativeMemory.Fill(Shared, (nuint)SharedBytes, 0xff);
        foreach (Barrier b in barriers) b.Clear();
        Mbarriers.Clear();
        BulkCopies.Clear();
        BulkStores.Clear();
        FreeRegisters = 0;
        waitedForGrid = letsGo = letsGoLate = HasEnded = false;
        reached.Clear();
        if (cluster is null) ClusterBarrier.Clear();
        local?.Begin();
        int threads = (int)plan.Block.Count;
        foreach (Warp w in warps)
        {
            int lanes = Math.Min(32, threads - 32 * w.Id);
            w.Begin(lanes == 32 ? ~0u : (1u << lanes) - 1);
            w.KnowsBefore = plan.Dependent is null;
            foreach (SpecialRow row in Kernel.Specials)
                if (SpecialRegisters.IsOfBlock(row.Name))
                    new Span<uint>(w.Rows + row.Offset, 32).Fill(SpecialRegisters.Value(row.Name, 0, plan, At));
        }
    }

    /// <summary>Memory of the block's threads.</summary>
    public LocalMemory Local(Warp w, Instruction i) =>
        local ?? throw w.Fault(FaultKind.OutOfBounds, i, "access to local memory, of which the kernel has none");

    /// <summary>Called at every basic block that a warp enters.</summary>
    public void CountStep(Warp w, Instruction i)
    {
        if (++steps > plan.Options.StepLimit)
            throw w.Fault(FaultKind.StepLimit, i, $"the block has taken more than {plan.Options.StepLimit} steps");
        if ((steps & 0xfff) == 0) plan.Cancel.ThrowIfCancellationRequested();
    }

    /// <summary>A warp knows from its own wait that the launch before has ended.</summary>
    public void WaitedForGrid(Warp w) => w.KnowsBefore = waitedForGrid = true;

    public void LetDependentsGo()
    {
        if (!letsGo) letsGoLate = waitedForGrid;
        letsGo = true;
    }

    /// <summary>A warp comes to a barrier for that many threads, 0 for all that live.</summary>
    public void Arrive(Warp w, Instruction i, int number, int expected, bool wait, in BarrierVote vote = default)
    {
        Barrier b = barriers[number];
        Trace?.Warps[w.Id].Barrier(i, number, expected);
        b.Vote.Add(vote);
        if (b.Arrived > 0 && b.Expected != expected)
            throw w.Fault(FaultKind.DivergentCollective, i,
                $"barrier {number} for {Threads(expected)}, at which warps of line {b.Line} wait for {Threads(b.Expected)}");
        b.Arrived += 32;
        b.Expected = expected;
        b.Line = i.Source.Line;
        Shadow?.Release(w.Actor, ref b.Known);
        b.KnowsBefore |= w.KnowsBefore;
        if (wait)
        {
            b.Waiting.Add(w);
            w.WaitAtBarrier();
        }
        Complete(b);
    }

    private static string Threads(int expected) => expected == 0 ? "all threads" : $"{expected} threads";

    private void Complete(Barrier b)
    {
        int need = b.Expected;
        if (need == 0)
            foreach (Warp w in warps)
                if (w.State != WarpState.Done) need += 32;
        if (b.Arrived < need) return;
        foreach (Warp w in b.Waiting)
        {
            w.Release();
            if (b.Known is not null) Shadow?.Acquire(w.Actor, b.Known);
            w.KnowsBefore |= b.KnowsBefore;
            BarrierFunctions.StoreVote(w, Kernel.Code[w.At - 1], b.Vote);
        }
        b.Clear();
    }

    /// <summary>Barriers of all threads no longer wait for a warp that has ended.</summary>
    public void WarpEnded()
    {
        foreach (Barrier b in barriers)
            if (b.Waiting.Count > 0) Complete(b);
        ClusterBarrier.Settle();
    }

    /// <summary>No warp of those blocks, all that have not ended of a cluster, can go on.</summary>
    public static GpuFaultException Deadlock(IReadOnlyList<ThreadBlock> stuck)
    {
        List<string> lines = [];
        int first = 0;
        foreach (ThreadBlock block in stuck) block.Waits(stuck.Count > 1 ? $" of block {block.At}" : "", lines, ref first);
        ThreadBlock one = stuck[0];
        return new(FaultKind.Deadlock, one.Kernel.Name, first, $"{one.Kernel.Name}, PTX line {first}: deadlock in block {one.At}, seed "
            + $"{one.Seed}:{string.Concat(lines)}");
    }

    private void Waits(string of, List<string> lines, ref int first)
    {
        for (int n = 0; n < BarrierCount; n++)
        {
            foreach (Warp w in barriers[n].Waiting)
            {
                int line = Kernel.Code[w.At - 1].Source.Line;
                if (first == 0) first = line;
                lines.Add($"\n  warp {w.Id}{of} waits at line {line} at barrier {n}, where {barriers[n].Arrived} of "
                    + $"{Threads(barriers[n].Expected)} have come");
            }
        }
        foreach (Warp w in warps)
        {
            string? what = w.State switch
            {
                WarpState.AtProducts => "for products of its warpgroup that other warps have not issued",
                WarpState.AtCluster => "at the barrier of its cluster",
                WarpState.AtRegisters => $"for registers, of which {FreeRegisters} a thread are free",
                _ => null,
            };
            IEnumerable<(int Line, string For)> waits = w.State == WarpState.AtMbarrier
                ? w.Sleeping().Select(s => (s.Line, $"at {s.At}")) : what is null ? [] : [(Kernel.Code[w.At].Source.Line, what)];
            foreach ((int line, string text) in waits)
            {
                if (first == 0) first = line;
                lines.Add($"\n  warp {w.Id}{of} waits at line {line} {text}");
            }
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(registers);
        NativeMemory.AlignedFree(Shared);
        NativeMemory.AlignedFree(Parameters);
        local?.Dispose();
        if (cluster is null) Shadow?.GiveBack();
    }
}
