using System.Numerics;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>What the blocks of a cluster do together.</summary>
/// <remarks>
/// A shared address that other blocks of the cluster understand has its block's rank, plus 1, above the low 24 bits; without that it is of
/// the block that uses it.
/// </remarks>
internal static unsafe class ClusterFunctions
{
    public const int RankShift = 24, Relaxed = 1 << 8;

    private const ulong Offsets = (1ul << RankShift) - 1;

    /// <summary>barrier.cluster.arrive.</summary>
    public static void Arrive(Warp w, Instruction i, uint mask)
    {
        if (!w.Gather(i, w.Live, mask)) return;
        if (w.ClusterPhase >= 0) throw w.Fault(FaultKind.Illegal, i, "a warp arrives at its cluster's barrier twice without waiting there");
        w.Block.ClusterBarrier.Arrive(w, (i.Mode & Relaxed) != 0);
    }

    /// <summary>barrier.cluster.wait.</summary>
    public static void Wait(Warp w, Instruction i, uint mask)
    {
        if (!w.Gather(i, w.Live, mask)) return;
        if (w.ClusterPhase < 0) throw w.Fault(FaultKind.Illegal, i, "a warp waits at its cluster's barrier without having arrived there");
        if (!w.Block.ClusterBarrier.HasEnded(w)) w.Retry(i, mask, WarpState.AtCluster);
    }

    /// <summary>mapa: D the address of rank B's memory where A is its place in this block's (64 bits: generic).</summary>
    public static void Map(Warp w, Instruction i, uint mask)
    {
        bool wide = i.Width == 8;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            uint rank = ((uint*)(w.Rows + i.B))[lane];
            if (rank >= (uint)w.Block.ClusterSize)
                throw w.Fault(FaultKind.Illegal, i, $"there is no block {rank} in a cluster of {w.Block.ClusterSize}");
            ulong address = Shared(w, i, lane, out ulong window);
            Lanes.Set(w.Rows + i.D, lane, wide, window + ((ulong)(rank + 1) << RankShift | address & Offsets));
        }
    }

    /// <summary>getctarank: D the rank of the block whose memory A lies in.</summary>
    public static void RankOf(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong rank = Shared(w, i, lane, out _) >> RankShift;
            Lanes.Set(w.Rows + i.D, lane, wide: false, rank == 0 ? (ulong)w.Block.Rank : rank - 1);
        }
    }

    private static ulong Shared(Warp w, Instruction i, int lane, out ulong window)
    {
        ulong address = Lanes.Get(w.Rows + i.A, lane, i.Width == 8);
        window = 0;
        if (i.Space != StateSpace.Generic) return address;
        window = AddressWindows.Shared;
        return AddressWindows.Split(ref address) == StateSpace.Shared ? address
            : throw w.Fault(FaultKind.Illegal, i, "the address is none of shared memory");
    }

    /// <summary>The block in whose shared memory an address lies, which becomes the place there.</summary>
    public static ThreadBlock Owner(Warp w, Instruction i, ref ulong address)
    {
        if (address <= Offsets || !i.ReachesCluster) return w.Block;
        ulong rank = (address >> RankShift) - 1;
        if (rank >= (ulong)w.Block.ClusterSize)
            throw w.Fault(FaultKind.OutOfBounds, i,
                $"shared address 0x{address:x} lies in no block of the cluster of {w.Block.ClusterSize}");
        address &= Offsets;
        return w.Block.Reach(w, i, (int)rank);
    }
}
