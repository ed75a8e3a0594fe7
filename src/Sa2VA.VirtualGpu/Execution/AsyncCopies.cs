using System.Numerics;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>An asynchronous copy that its lane has not waited for.</summary>
internal readonly record struct PendingCopy(int Lane, long Group, int Shared, ulong Source, int Bytes, int Valid,
    Instruction Issued, bool Landed);

/// <summary>Copies in flight of a warp; each lane has groups of its own.</summary>
internal sealed class CopyQueue
{
    public List<PendingCopy> Pending { get; } = [];

    /// <summary>Groups that a lane has committed; a copy belongs to the group that is committed next.</summary>
    public long[] Committed { get; } = new long[32];

    public void Clear()
    {
        Pending.Clear();
        Array.Clear(Committed);
    }
}

/// <summary>
/// cp.async with its groups. Data arrives at the issue or at the wait, whichever the seed says, as a card may do either; in between, the
/// destination belongs to the copy.
/// </summary>
internal static unsafe class AsyncCopies
{
    /// <summary>
    /// A shared addresses, B global ones (64 bits), Width bytes, of which row C (absent: all) are read and the rest becomes 0.
    /// </summary>
    public static void Copy(Warp w, Instruction i, uint mask)
    {
        var access = new AccessCounter(w, i);
        bool early = w.Block.Random.Next(2) == 0;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong to = MemoryAccess.Address(w, i, lane), from = ((ulong*)(w.Rows + i.B))[lane] + (ulong)i.SourceOffset;
            uint valid = i.C < 0 ? (uint)i.Width : ((uint*)(w.Rows + i.C))[lane];
            if (valid > i.Width) throw w.Fault(FaultKind.Illegal, i, $"a copy of {i.Width} bytes reads {valid}");
            MemoryAccess.SharedPlace(w, i, to, i.Width);
            access.Shared((uint)to, i.Width);
            if (valid > 0)
            {
                if ((from & (ulong)(i.Width - 1)) != 0)
                    throw w.Fault(FaultKind.Misaligned, i, $"a copy of {i.Width} bytes from 0x{from:x} is misaligned");
                Allocation a = MemoryAccess.GlobalPlace(w, i, from, (int)valid);
                if (a.Written != null) MemoryAccess.CheckWritten(w, i, a, (long)(from - a.Address), (int)valid);
                w.Block.Footprint?.Touch(w, i, lane, from, (int)valid);
                access.Global(from, (int)valid);
            }
            var copy = new PendingCopy(lane, w.Copies.Committed[lane], (int)to, from, i.Width, (int)valid, i, early);
            w.Block.Shadow?.Issue(w, i, copy.Shared, copy.Bytes);
            if (early) Land(w, copy);
            w.Copies.Pending.Add(copy);
        }
        access.Finish();
    }

    private static void Land(Warp w, in PendingCopy copy)
    {
        byte* to = w.Block.Shared + copy.Shared;
        if (copy.Valid > 0)
        {
            Allocation a = MemoryAccess.GlobalPlace(w, copy.Issued, copy.Source, copy.Valid);
            MemoryAccess.CopyBytes(to, a.Host + (copy.Source - a.Address), copy.Valid);
        }
        new Span<byte>(to + copy.Valid, copy.Bytes - copy.Valid).Clear();
    }

    public static void Commit(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1) w.Copies.Committed[BitOperations.TrailingZeroCount(rest)]++;
    }

    /// <summary>All but the last Offset groups of each lane arrive.</summary>
    public static void Wait(Warp w, Instruction i, uint mask) => Arrive(w, mask, i.Offset);

    /// <summary>All copies arrive, committed or not.</summary>
    public static void WaitAll(Warp w, Instruction i, uint mask) => Arrive(w, mask, -1);

    private static void Arrive(Warp w, uint mask, long keep)
    {
        List<PendingCopy> pending = w.Copies.Pending;
        int left = 0;
        for (int k = 0; k < pending.Count; k++)
        {
            PendingCopy copy = pending[k];
            if ((mask >> copy.Lane & 1) == 0 || copy.Group >= w.Copies.Committed[copy.Lane] - keep)
            {
                pending[left++] = copy;
                continue;
            }
            if (!copy.Landed) Land(w, copy);
            w.Block.Shadow?.Complete(w, copy.Issued, copy.Shared, copy.Bytes);
        }
        pending.RemoveRange(left, pending.Count - left);
    }
}
