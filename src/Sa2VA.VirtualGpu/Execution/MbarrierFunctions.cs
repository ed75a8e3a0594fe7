using System.Numerics;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Barriers in shared memory: A the address, B an operand of 32 bits (a count, bytes, a parity) or of 64 (a state).</summary>
internal static unsafe class MbarrierFunctions
{
    /// <summary>In Mode beside the width of the address: what an arrival does, or what a wait is given.</summary>
    public const int Arrives = 1 << 8, Expects = 1 << 9, Parity = 1 << 10, Sleeps = 1 << 11;

    private const uint MostCount = (1 << 20) - 1;

    public static void Make(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            int address = Place(w, i, MemoryAccess.Address(w, i, lane), out _);
            uint count = ((uint*)(w.Rows + i.B))[lane];
            if (count is 0 or > MostCount) throw w.Fault(FaultKind.Illegal, i, $"an mbarrier for {count} arrivals");
            w.Block.Shadow?.Write(w, i, address, 8, atomic: false);
            w.Block.Mbarriers.Add(w, i, address, (int)count);
        }
    }

    public static void Unmake(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            Mbarrier b = Find(w, i, MemoryAccess.Address(w, i, BitOperations.TrailingZeroCount(rest)));
            w.Block.Shadow?.Write(w, i, b.Address, 8, atomic: false);
            w.Block.Mbarriers.Remove(b);
        }
    }

    /// <summary>arrive, expect_tx, arrive.expect_tx: D gets the state, B (absent: 1) arrivals or bytes.</summary>
    public static void Arrive(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Mbarrier b = Find(w, i, MemoryAccess.Address(w, i, lane));
            uint n = i.B < 0 ? 1 : ((uint*)(w.Rows + i.B))[lane];
            if (n > MostCount) throw w.Fault(FaultKind.Illegal, i, $"{n} arrivals or bytes at an mbarrier");
            if (i.D >= 0) Lanes.Set(w.Rows + i.D, lane, wide: true, (ulong)b.Phases);
            bool expects = (i.Mode & Expects) != 0;
            if (expects) b.Bytes += n;
            int count = (i.Mode & Arrives) == 0 ? 0 : expects ? 1 : (int)n;
            w.Block.Trace?.Warps[w.Id].Mbarrier(i, b.Address, expects ? (int)n : 0, count);
            if (count > 0)
            {
                if (count > b.Pending) throw w.Fault(FaultKind.Mbarrier, i, $"one arrival too many at {b}");
                b.Pending -= count;
                w.Block.Shadow?.Release(w.Actor, ref b.Known);
                b.KnowsGrid |= w.KnowsBefore;
            }
            b.Block.Mbarriers.Settle(b, w, i);
        }
    }

    /// <summary>
    /// try_wait and test_wait: D becomes whether the phase of parity or state B has ended. Of try_wait lanes sleep until it has: a card may
    /// let them go on sooner, which no loop around the wait can tell.
    /// </summary>
    public static void Wait(Warp w, Instruction i, uint mask)
    {
        uint ended = 0;
        Mbarrier? missing = null;
        bool several = false;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Mbarrier b = Find(w, i, MemoryAccess.Address(w, i, lane));
            ulong phase = Lanes.Get(w.Rows + i.B, lane, (i.Mode & Parity) == 0);
            if ((i.Mode & Parity) != 0 ? b.HasEnded(phase) : (ulong)b.Phases > phase)
            {
                if (ended == 0) w.Block.Trace?.Warps[w.Id].Mbarrier(i, b.Address, (int)b.Phases, arrivals: 0);
                ended |= 1u << lane;
                if (b.KnownBefore is not null) w.Block.Shadow?.Acquire(w.Actor, b.KnownBefore);
                w.KnowsBefore |= b.KnewGrid;
            }
            else
            {
                several |= missing is not null && missing != b;
                missing = b;
            }
        }
        if ((i.Mode & Sleeps) != 0 && ended == 0 && !several) w.Sleep(i, mask, missing!);
        else Lanes.SetPredicate(w.Rows + i.D, mask, ended);
    }

    /// <summary>Barriers that this warp made may be used by bulk copies from now on.</summary>
    public static void FenceMaking(Warp w, Instruction i, uint mask) => w.Block.Mbarriers.Fence(w);

    /// <summary>What this warp knows to be written may be read by asynchronous copies and products from now on.</summary>
    public static void FenceProxy(Warp w, Instruction i, uint mask)
    {
        w.Block.Mbarriers.Fence(w);
        w.Block.Shadow?.FenceProxy(w.Actor);
    }

    public static Mbarrier Find(Warp w, Instruction i, ulong address) => Find(w, i, (ulong)Place(w, i, address, out ThreadBlock of), of);

    /// <summary>The mbarrier at a place in a block's shared memory.</summary>
    public static Mbarrier Find(Warp w, Instruction i, ulong at, ThreadBlock of)
    {
        MemoryAccess.SharedPlace(w, i, at, 8, of);
        int place = (int)at;
        if (of.Mbarriers.At(place) is { } b)
        {
            w.Block.Shadow?.Read(w, i, place, 8, of);
            return b;
        }
        throw w.Fault(FaultKind.Uninitialised, i, $"no mbarrier was made at shared address 0x{place:x}");
    }

    /// <summary>A generic address must lie in the window of shared memory; one that does not lies outside all of it.</summary>
    private static int Place(Warp w, Instruction i, ulong address, out ThreadBlock of)
    {
        if (i.Space == StateSpace.Generic && AddressWindows.Split(ref address) != StateSpace.Shared)
            throw w.Fault(FaultKind.OutOfBounds, i, $"an mbarrier at 0x{address:x}, outside shared memory");
        of = ClusterFunctions.Owner(w, i, ref address);
        MemoryAccess.SharedPlace(w, i, address, 8, of);
        return (int)address;
    }
}
