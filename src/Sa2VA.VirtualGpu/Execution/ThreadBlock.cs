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

    /// <summary>The same once more, told to nobody.</summary>
    public LaunchPlan Again() => this with { Trace = null, Touched = null, Dependent = Dependent is null ? null : new(early: null) };
}

/// <summary>A thread block: its warps, its shared memory and its barriers. One object runs many blocks, one after the other.</summary>
internal sealed unsafe class ThreadBlock : IDisposable
{
    public const int BarrierCount = 16;

    private const int MostQuantum = 16;

    private readonly LaunchPlan plan;
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
    public ThreadBlock(LaunchPlan plan, BlockFootprint? footprint)
    {
        this.plan = plan;
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
                        SpecialRegisters.Value(row.Name, 32 * w + lane, plan.Block, plan.Grid, default);
            foreach (VariableRow row in Kernel.Variables)
                Fill(warps[w].Rows + row.Offset, new(row.Offset, plan.Variables[row.Variable], 256));
        }
        Parameters = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(plan.Parameters.Length, 1), 128);
        plan.Parameters.CopyTo(new Span<byte>(Parameters, plan.Parameters.Length));
        if (Kernel.LocalBytes > 0) local = new(32 * count, Kernel.LocalBytes, plan.Options.Checks);
        Counts = new(Kernel.Code.Length, plan.Options.CountMemory || plan.Trace is not null);
        LastHit = new Allocation?[Kernel.Code.Length];
        if (plan.Options.Checks) Shadow = SharedShadow.Take(count, SharedBytes, Kernel);
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

    /// <summary>Of each instruction the allocation that it hit last.</summary>
    public Allocation?[] LastHit { get; }

    /// <summary>Basic blocks that its warps have entered.</summary>
    public long Steps => steps;

    public Random Random { get; private set; } = new(0);

    /// <summary>Whether the launch before has not ended: <c>griddepcontrol.wait</c> does not end.</summary>
    public bool IsHeld { get; private set; }

    public Dim3 At { get; private set; }

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
        Trace = trace;
        CountsMemory = plan.Options.CountMemory || trace is not null;
        Begin(number);
        IsHeld = held;
        return Advance();
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
            int count = 0;
            bool done = true;
            foreach (Warp w in warps)
            {
                if (w.State == WarpState.Ready) ready[count++] = w;
                done &= w.State == WarpState.Done;
            }
            if (done) break;
            if (BulkCopies.Count > 0 && (count == 0 || Random.Next(4) == 0)) LandOne();
            else if (count > 0) ready[Random.Next(count)].Run(1 + Random.Next(MostQuantum));
            else if (IsHeld && Array.Exists(warps, w => w.State == WarpState.AtGridBefore)) return false;
            else throw Deadlock();
        }
        plan.Dependent?.Ended(waitedForGrid, letsGo ? letsGoLate : waitedForGrid);
        if (BulkStores.Count > 0) Execution.BulkStores.End(BulkStores);
        if (BulkCopies.Count == 0) return true;
        BulkCopy open = BulkCopies[0];
        throw open.Warp.Fault(FaultKind.CopyInFlight, open.Issued, "the block ends before this bulk copy has been waited for");
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
        waitedForGrid = letsGo = letsGoLate = false;
        Shadow?.Begin();
        local?.Begin();
        int threads = (int)plan.Block.Count;
        foreach (Warp w in warps)
        {
            int lanes = Math.Min(32, threads - 32 * w.Id);
            w.Begin(lanes == 32 ? ~0u : (1u << lanes) - 1);
            w.KnowsBefore = plan.Dependent is null;
            foreach (SpecialRow row in Kernel.Specials)
                if (SpecialRegisters.IsOfBlock(row.Name))
                    new Span<uint>(w.Rows + row.Offset, 32).Fill(SpecialRegisters.Value(row.Name, 0, plan.Block, plan.Grid, At));
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
        Shadow?.Release(w.Id, ref b.Known);
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
            if (b.Known is not null) Shadow?.Acquire(w.Id, b.Known);
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
    }

    private GpuFaultException Deadlock()
    {
        List<string> lines = [];
        int first = 0;
        for (int n = 0; n < BarrierCount; n++)
        {
            foreach (Warp w in barriers[n].Waiting)
            {
                int line = Kernel.Code[w.At - 1].Source.Line;
                if (first == 0) first = line;
                lines.Add($"\n  warp {w.Id} waits at line {line} at barrier {n}, where {barriers[n].Arrived} of "
                    + $"{Threads(barriers[n].Expected)} have come");
            }
        }
        foreach (Warp w in warps)
        {
            string? what = w.State switch
            {
                WarpState.AtProducts => "for products of its warpgroup that other warps have not issued",
                WarpState.AtRegisters => $"for registers, of which {FreeRegisters} a thread are free",
                _ => null,
            };
            IEnumerable<(int Line, string For)> waits = w.State == WarpState.AtMbarrier
                ? w.Sleeping().Select(s => (s.Line, $"at {s.At}")) : what is null ? [] : [(Kernel.Code[w.At].Source.Line, what)];
            foreach ((int line, string text) in waits)
            {
                if (first == 0) first = line;
                lines.Add($"\n  warp {w.Id} waits at line {line} {text}");
            }
        }
        return new(FaultKind.Deadlock, Kernel.Name, first,
            $"{Kernel.Name}, PTX line {first}: deadlock in block {At}, seed {Seed}:{string.Concat(lines)}");
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(registers);
        NativeMemory.AlignedFree(Shared);
        NativeMemory.AlignedFree(Parameters);
        local?.Dispose();
        Shadow?.GiveBack();
    }
}
