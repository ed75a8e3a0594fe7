using System.Numerics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>In how many threads of a barrier a predicate holds, and whether it fails in some.</summary>
internal record struct BarrierVote(int Holds, bool Fails)
{
    public void Add(in BarrierVote other)
    {
        Holds += other.Holds;
        Fails |= other.Fails;
    }
}

/// <summary>Barriers of a block, by number, and of a warp.</summary>
internal static unsafe class BarrierFunctions
{
    /// <summary>bar.sync: A number, B threads (absent: all).</summary>
    public static void Sync(Warp w, Instruction i, uint mask) => Come(w, i, mask, wait: true);

    /// <summary>
    /// bar.red: the same, and D gets what the predicate C is in all threads: how often it holds, or (as a predicate) whether in all or any.
    /// </summary>
    public static void Reduce(Warp w, Instruction i, uint mask)
    {
        uint p = *(uint*)(w.Rows + i.C);
        if ((i.Mode & NegatedVote) != 0) p = ~p;
        p &= mask;
        Come(w, i, mask, wait: true, new(BitOperations.PopCount(p), p != mask));
    }

    public const int Count = 1, All = 2, Any = 3, NegatedVote = 4;

    /// <summary>What a barrier found, to the lanes that waited for it.</summary>
    public static void StoreVote(Warp w, Instruction i, in BarrierVote vote)
    {
        switch (i.Mode & 3)
        {
            case Count:
                for (int lane = 0; lane < 32; lane++)
                    if ((w.Live >> lane & 1) != 0) ((uint*)(w.Rows + i.D))[lane] = (uint)vote.Holds;
                break;
            case All:
                Lanes.SetPredicate(w.Rows + i.D, w.Live, vote.Fails ? 0 : ~0u);
                break;
            case Any:
                Lanes.SetPredicate(w.Rows + i.D, w.Live, vote.Holds > 0 ? ~0u : 0);
                break;
        }
    }

    /// <summary>bar.arrive: the same without waiting.</summary>
    public static void Arrive(Warp w, Instruction i, uint mask) => Come(w, i, mask, wait: false);

    private static void Come(Warp w, Instruction i, uint mask, bool wait, in BarrierVote vote = default)
    {
        if (!w.Gather(i, w.Live, mask)) return;
        uint number = Uniform(w, i, i.A, mask), threads = i.B < 0 ? 0 : Uniform(w, i, i.B, mask);
        if (number >= ThreadBlock.BarrierCount) throw w.Fault(FaultKind.Illegal, i, $"there is no barrier {number}");
        if (threads % 32 != 0) throw w.Fault(FaultKind.Illegal, i, $"a barrier of {threads} threads, which is no multiple of 32");
        w.Block.Arrive(w, i, (int)number, (int)threads, wait, vote);
    }

    /// <summary>bar.warp.sync: A the lanes that take part.</summary>
    public static void SyncWarp(Warp w, Instruction i, uint mask) => w.Gather(i, Uniform(w, i, i.A, mask), mask);

    /// <summary>A value that must be the same in all lanes of the mask.</summary>
    public static uint Uniform(Warp w, Instruction i, int row, uint mask)
    {
        uint* values = (uint*)(w.Rows + row);
        uint value = values[BitOperations.TrailingZeroCount(mask)];
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && values[lane] != value)
                throw w.Fault(FaultKind.DivergentCollective, i,
                    $"lanes give different values ({value} and {values[lane]}) to a collective");
        return value;
    }
}
