using System.Numerics;
using System.Runtime.CompilerServices;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Asynchronous copies that one instruction of a warp has issued: those of Lanes have not been waited for.</summary>
internal sealed unsafe class PendingCopies
{
    public Instruction? Issued;
    public uint Lanes;

    /// <summary>Whether the data arrived at the issue.</summary>
    public bool Landed;

    /// <summary>By lane: its group, the place in shared memory, the source in this process and how many bytes of it are read.</summary>
    public readonly long[] Groups = new long[32];
    public readonly int[] To = new int[32], Valid = new int[32];
    public readonly nint[] From = new nint[32];
}

/// <summary>Copies in flight of a warp; each lane has groups of its own.</summary>
internal sealed class CopyQueue
{
    private readonly Stack<PendingCopies> spare = [];

    public List<PendingCopies> Pending { get; } = [];

    /// <summary>Groups that a lane has committed; a copy belongs to the group that is committed next.</summary>
    public long[] Committed { get; } = new long[32];

    public PendingCopies Next() => spare.TryPop(out PendingCopies? used) ? used : new();

    public void Reuse(PendingCopies done) => spare.Push(done);

    public void Clear()
    {
        foreach (PendingCopies open in Pending) spare.Push(open);
        Pending.Clear();
        Array.Clear(Committed);
    }
}

/// <summary>
/// cp.async with its groups. Data arrives at the issue or at the wait, whichever the seed says, as a card may do either; in between, the
/// destination belongs to the copy.
/// </summary>
[SkipLocalsInit]
internal static unsafe class AsyncCopies
{
    /// <summary>
    /// A shared addresses, B global ones (64 bits), Width bytes, of which row C (absent: all) are read and the rest becomes 0.
    /// </summary>
    public static void Copy(Warp w, Instruction i, uint mask)
    {
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        ThreadBlock block = w.Block;
        PendingCopies copies = w.Copies.Next();
        copies.Issued = i;
        copies.Lanes = mask;
        // While a block is held, memory from which data would arrive later may be freed.
        copies.Landed = block.Random.Next(2) == 0 || block.IsHeld;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong to = MemoryAccess.Address(w, i, lane), from = ((ulong*)(w.Rows + i.B))[lane] + (ulong)i.SourceOffset;
            uint valid = i.C < 0 ? (uint)i.Width : ((uint*)(w.Rows + i.C))[lane];
            if (valid > i.Width) throw w.Fault(FaultKind.Illegal, i, $"a copy of {i.Width} bytes reads {valid}");
            MemoryAccess.SharedPlace(w, i, to, i.Width);
            access.Shared((uint)to, i.Width);
            copies.From[lane] = 0;
            if (valid > 0)
            {
                if ((from & (ulong)(i.Width - 1)) != 0)
                    throw w.Fault(FaultKind.Misaligned, i, $"a copy of {i.Width} bytes from 0x{from:x} is misaligned");
                Allocation a = MemoryAccess.GlobalPlace(w, i, from, (int)valid);
                long offset = (long)(from - a.Address);
                if (block.StoresInFlight) BulkStores.CheckMeets(w, i, from, (int)valid);
                block.Footprint?.Touch(w, i, lane, from, (int)valid);
                if (a.Written != null) MemoryAccess.CheckWritten(w, i, a, offset, (int)valid);
                access.Global(from, (int)valid);
                copies.From[lane] = (nint)(a.Host + offset);
            }
            copies.Groups[lane] = w.Copies.Committed[lane];
            copies.To[lane] = (int)to;
            copies.Valid[lane] = (int)valid;
            block.Shadow?.Issue(w, i, (int)to, i.Width);
            if (copies.Landed) Land(block, copies, lane);
        }
        w.Copies.Pending.Add(copies);
        access.Finish();
    }

    private static void Land(ThreadBlock block, PendingCopies copies, int lane)
    {
        byte* to = block.Shared + copies.To[lane];
        int valid = copies.Valid[lane], bytes = copies.Issued!.Width;
        if (valid == 16) MemoryAccess.CopyBytes(to, (byte*)copies.From[lane], 16);
        else if (valid > 0) MemoryAccess.CopyBytes(to, (byte*)copies.From[lane], valid);
        if (valid < bytes) new Span<byte>(to + valid, bytes - valid).Clear();
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
        List<PendingCopies> pending = w.Copies.Pending;
        int left = 0;
        for (int k = 0; k < pending.Count; k++)
        {
            PendingCopies copies = pending[k];
            for (uint rest = copies.Lanes & mask; rest != 0; rest &= rest - 1)
            {
                int lane = BitOperations.TrailingZeroCount(rest);
                if (copies.Groups[lane] >= w.Copies.Committed[lane] - keep) continue;
                copies.Lanes &= ~(1u << lane);
                if (!copies.Landed) Land(w.Block, copies, lane);
                w.Block.Shadow?.Complete(w, copies.Issued!, copies.To[lane], copies.Issued!.Width);
            }
            if (copies.Lanes != 0) pending[left++] = copies;
            else w.Copies.Reuse(copies);
        }
        pending.RemoveRange(left, pending.Count - left);
    }
}
