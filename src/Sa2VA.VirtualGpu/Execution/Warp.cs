using System.Numerics;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Execution;

internal enum WarpState
{
    Ready,
    AtBarrier,
    Done,
}

/// <summary>
/// 32 threads with one register file. Lanes that are at different places are fragments; the one that is least far runs, and fragments that
/// meet are joined: compilers lay code out so that this reconverges. Lanes at a collective wait until the others have come or ended.
/// </summary>
internal sealed unsafe class Warp(ThreadBlock block, int id, byte* rows)
{
    private readonly int[] fragmentAt = new int[32];
    private readonly uint[] fragmentLanes = new uint[32];
    private readonly bool[] fragmentWaits = new bool[32];
    private int fragments;
    private uint active, live;
    private int at;
    private bool stop;

    public ThreadBlock Block => block;

    public int Id => id;

    /// <summary>The register file.</summary>
    public byte* Rows => rows;

    /// <summary>Lanes that have not ended.</summary>
    public uint Live => live;

    public WarpState State { get; private set; }

    /// <summary>The instruction that runs next; of a warp at a barrier the one after it.</summary>
    public int At => at;

    public CopyQueue Copies { get; } = new();

    public void Begin(uint lanes)
    {
        active = live = lanes;
        at = 0;
        fragments = 0;
        stop = false;
        State = WarpState.Ready;
        Copies.Clear();
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
            if (i.Guard >= 0)
            {
                uint p = *(uint*)(rows + i.Guard);
                mask &= i.Source.GuardNegated ? ~p : p;
            }
            at++;
            executed[i.Index]++;
            lanes[i.Index] += BitOperations.PopCount(mask);
            if (mask == 0) continue;
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
    }

    private void Park(int where, uint lanes, bool waits)
    {
        fragmentAt[fragments] = where;
        fragmentLanes[fragments] = lanes;
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
        for (int k = 0; k < fragments; k++) fragmentWaits[k] = false;
        if (active != 0 || live != 0 && Switch()) return;
        State = WarpState.Done;
        stop = true;
        block.WarpEnded();
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
        if (fragments == 0 || !Switch())
        {
            string where = string.Join("; ", Enumerable.Range(0, fragments)
                .Select(k => $"lanes {fragmentLanes[k]:x8} are at line {block.Kernel.Code[fragmentAt[k]].Source.Line}"));
            throw Fault(FaultKind.DivergentCollective, i,
                $"divergent collective: lanes {missing:x8} of {required & live:x8} do not take part" + (where == "" ? "" : $" ({where})"));
        }
        Park(i.Index, lanes, waits: true);
        // It counts when it really runs.
        block.Counts.Executed[i.Index]--;
        block.Counts.Lanes[i.Index] -= BitOperations.PopCount(here);
        if (i.StartsBlock) block.Trace?.Warps[id].Leave();
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
