using System.Numerics;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Execution;

internal enum WarpState
{
    Ready,
    AtBarrier,

    /// <summary>All its lanes that could go on sleep at mbarriers.</summary>
    AtMbarrier,

    /// <summary>Waits for products that other warps of its warpgroup have not issued.</summary>
    AtProducts,

    /// <summary>Waits for registers that other warps give back.</summary>
    AtRegisters,

    /// <summary>Waits at the barrier of its cluster.</summary>
    AtCluster,

    /// <summary>Waits for the launch before to end.</summary>
    AtGridBefore,
    Done,
}

/// <summary>
/// 32 threads with one register file. Lanes that are at different places are fragments; the one that is least far runs, and fragments that
/// meet are joined: compilers lay code out so that this reconverges. Lanes at a collective wait until the others have come or ended, lanes
/// at an mbarrier until its phase ends.
/// </summary>
internal sealed unsafe class Warp(ThreadBlock block, int id, byte* rows)
{
    private readonly int[] fragmentAt = new int[32];
    private readonly uint[] fragmentLanes = new uint[32];
    private readonly bool[] fragmentWaits = new bool[32];
    private readonly Mbarrier?[] fragmentSleeps = new Mbarrier?[32];
    private int fragments;
    private Mbarrier? sleeps;
    private uint active, live;
    private int at;
    private bool stop;

    public ThreadBlock Block => block;

    public int Id => id;

    /// <summary>Its number among the warps of its cluster.</summary>
    public int Actor { get; } = block.Rank * block.WarpCount + id;

    /// <summary>The phase of the cluster's barrier in which it has arrived and not waited; −1 if it has not.</summary>
    public long ClusterPhase { get; set; }

    /// <summary>The register file.</summary>
    public byte* Rows => rows;

    /// <summary>Lanes that have not ended.</summary>
    public uint Live => live;

    public WarpState State { get; private set; }

    /// <summary>The instruction that runs next; of a warp at a barrier the one after it.</summary>
    public int At => at;

    public CopyQueue Copies { get; } = new();

    public StoreQueue Stores { get; } = new();

    /// <summary>Products that it has issued and not waited for; null in kernels without any.</summary>
    public ProductQueue? Products { get; } = block.Kernel.ProductRegisters > 0 ? new(block) : null;

    /// <summary>Registers that each of its threads has; 0 where the kernel does not say.</summary>
    public int Registers { get; set; }

    /// <summary>
    /// Whether it knows that the launch before has ended, from its own <c>griddepcontrol.wait</c> or by barriers from another's; always
    /// where launches follow each other.
    /// </summary>
    public bool KnowsBefore { get; set; }

    public void Begin(uint lanes)
    {
        sleeps = null;
        ClusterPhase = -1;
        Products?.Clear();
        Registers = block.Kernel.EntryRegisters;
        active = live = lanes;
        at = 0;
        fragments = 0;
        stop = false;
        State = WarpState.Ready;
        Copies.Clear();
        Stores.Clear();
    }

    /// <summary>Runs until the warp waits or ends, or for that many basic blocks.</summary>
    public void Run(int quantum)
    {
        Instruction[] code = block.Kernel.Code;
        long[] executed = block.Counts.Executed, lanes = block.Counts.Lanes;
        WarpTrace? trace = block.Trace?.Warps[id];
        while (true)
        {
            Instruction i = code[at];
            if (i.Leader)
            {
                if (fragments > 0)
                {
                    Rejoin();
                    i = code[at];
                }
                if (--quantum < 0) return;
                block.CountStep(this, i);
                if (i.StartsBlock) trace?.Enter(i);
            }
            uint mask = active;
            if (i.Straight > 0)
            {
                executed[at]++;
                lanes[at] += BitOperations.PopCount(mask);
                int end = at + i.Straight;
                for (int n = at; n < end; n++)
                {
                    i = code[n];
                    i.Run(this, i, mask);
                }
                at = end;
                continue;
            }
            if (i.Guard >= 0) mask &= *(uint*)(rows + i.Guard) ^ i.GuardFlip;
            executed[at]++;
            lanes[at] += BitOperations.PopCount(mask);
            at++;
            if (mask == 0) continue;
            if (i.UsesProducts) Products!.Registers?.Check(this, i);
            i.Run(this, i, mask);
            if (!stop) continue;
            stop = false;
            return;
        }
    }

    /// <summary>Takes in the fragments that are here, then lets the one that is least far go first.</summary>
    private void Rejoin()
    {
        while (true)
        {
            int least = -1;
            for (int k = 0; k < fragments; k++)
            {
                if (fragmentAt[k] == at)
                {
                    active |= fragmentLanes[k];
                    Remove(k--);
                }
                else if (!fragmentWaits[k] && fragmentAt[k] < at && (least < 0 || fragmentAt[k] < fragmentAt[least]))
                {
                    least = k;
                }
            }
            if (least < 0) return;
            (at, fragmentAt[least]) = (fragmentAt[least], at);
            (active, fragmentLanes[least]) = (fragmentLanes[least], active);
        }
    }

    private void Remove(int k)
    {
        fragments--;
        fragmentAt[k] = fragmentAt[fragments];
        fragmentLanes[k] = fragmentLanes[fragments];
        fragmentWaits[k] = fragmentWaits[fragments];
        fragmentSleeps[k] = fragmentSleeps[fragments];
    }

    private void Park(int where, uint lanes, bool waits, Mbarrier? until = null)
    {
        fragmentAt[fragments] = where;
        fragmentLanes[fragments] = lanes;
        fragmentSleeps[fragments] = until;
        fragmentWaits[fragments++] = waits;
    }

    public void Branch(int target, uint taken)
    {
        if (taken == active)
        {
            at = target;
            return;
        }
        Park(target, taken, waits: false);
        active &= ~taken;
        block.Counts.Divergences++;
    }

    public void Exit(uint lanes)
    {
        live &= ~lanes;
        active &= ~lanes;
        // A collective may have waited for these lanes only.
        for (int k = 0; k < fragments; k++) fragmentWaits[k] = fragmentSleeps[k] is not null;
        if (active != 0 || live != 0 && Switch()) return;
        stop = true;
        if (live != 0)
        {
            at = fragmentAt[0];
            active = fragmentLanes[0];
            sleeps = fragmentSleeps[0];
            Remove(0);
            State = WarpState.AtMbarrier;
            return;
        }
        State = WarpState.Done;
        block.WarpEnded();
    }

    /// <summary>Lanes wait here until a phase of an mbarrier ends, and run the instruction again then; others go on meanwhile.</summary>
    public void Sleep(Instruction i, uint here, Mbarrier until)
    {
        TakeBack(i, here);
        uint lanes = active;
        if (Switch())
        {
            Park(i.Index, lanes, waits: true, until);
            return;
        }
        sleeps = until;
        Stop(i, WarpState.AtMbarrier);
    }

    /// <summary>A phase of an mbarrier has ended.</summary>
    public void Wake(Mbarrier b)
    {
        bool any = sleeps == b;
        if (any) sleeps = null;
        for (int k = 0; k < fragments; k++)
        {
            if (fragmentSleeps[k] != b) continue;
            fragmentSleeps[k] = null;
            fragmentWaits[k] = false;
            any = true;
        }
        if (any && State == WarpState.AtMbarrier) State = WarpState.Ready;
    }

    /// <summary>The mbarriers at which lanes of a warp without a lane that can go on sleep, and where.</summary>
    public IEnumerable<(int Line, Mbarrier At)> Sleeping()
    {
        if (sleeps is not null) yield return (block.Kernel.Code[at].Source.Line, sleeps);
        for (int k = 0; k < fragments; k++)
            if (fragmentSleeps[k] is { } b) yield return (block.Kernel.Code[fragmentAt[k]].Source.Line, b);
    }

    /// <summary>Ends this turn; the instruction runs again when <see cref="Resume"/> lets it.</summary>
    public void Retry(Instruction i, uint here, WarpState state)
    {
        TakeBack(i, here);
        Stop(i, state);
    }

    public void Resume(WarpState from)
    {
        if (State == from) State = WarpState.Ready;
    }

    private void Stop(Instruction i, WarpState state)
    {
        at = i.Index;
        State = state;
        stop = true;
    }

    /// <summary>An instruction that will run again counts when it really runs.</summary>
    private void TakeBack(Instruction i, uint here)
    {
        block.Counts.Executed[i.Index]--;
        block.Counts.Lanes[i.Index] -= BitOperations.PopCount(here);
        if (i.StartsBlock) block.Trace?.Warps[id].Leave();
    }

    private bool Switch()
    {
        int least = -1;
        for (int k = 0; k < fragments; k++)
            if (!fragmentWaits[k] && (least < 0 || fragmentAt[k] < fragmentAt[least])) least = k;
        if (least < 0) return false;
        at = fragmentAt[least];
        active = fragmentLanes[least];
        Remove(least);
        return true;
    }

    /// <summary>
    /// True if all of those lanes that live take part. Otherwise these lanes wait here while others run up to this place, and the
    /// instruction
    /// runs again then; lanes that can no longer come are a fault.
    /// </summary>
    public bool Gather(Instruction i, uint required, uint here)
    {
        uint missing = required & live & ~here;
        if (missing == 0) return true;
        uint lanes = active;
        if (!Switch())
        {
            for (int k = 0; k < fragments; k++)
            {
                if (fragmentSleeps[k] is null) continue;
                // The others come when their mbarriers let them.
                Retry(i, here, WarpState.AtMbarrier);
                return false;
            }
            string where = string.Join("; ", Enumerable.Range(0, fragments)
                .Select(k => $"lanes {fragmentLanes[k]:x8} are at line {block.Kernel.Code[fragmentAt[k]].Source.Line}"));
            throw Fault(FaultKind.DivergentCollective, i,
                $"divergent collective: lanes {missing:x8} of {required & live:x8} do not take part" + (where == "" ? "" : $" ({where})"));
        }
        Park(i.Index, lanes, waits: true);
        TakeBack(i, here);
        return false;
    }

    /// <summary>Ends this turn of the warp at a barrier.</summary>
    public void WaitAtBarrier()
    {
        State = WarpState.AtBarrier;
        stop = true;
    }

    public void Release() => State = WarpState.Ready;

    public GpuFaultException Fault(FaultKind kind, Instruction i, string why)
    {
        string name = block.Kernel.Name;
        return new(kind, name, i.Source.Line,
            $"{name}, PTX line {i.Source.Line}: {why}\n  in: {i.Source}\n"
            + $"  block {block.At}, warp {id}, lanes {active:x8}, seed {block.Seed}");
    }
}
