using System.Numerics;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Bulk copies from shared to global memory, with their groups: A the source, B the destination (or the tensor map). They read at their
/// issue or as late as the wait for their reading, and what they store arrives then or as late as the wait for them, as the seed says.
/// </summary>
internal static unsafe class BulkStores
{
    /// <summary>cp.async.bulk.tensor to global memory: Rows are the coordinates, innermost first.</summary>
    public static void Tensor(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            (BulkRow[] rows, int swizzle) = BulkCopies.Box(w, i, lane);
            Issue(w, i, lane, rows, swizzle, BulkCopies.TensorAlignment);
        }
    }

    /// <summary>cp.async.bulk to global memory: row Rows[0] holds the bytes.</summary>
    public static void Plain(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Issue(w, i, lane, [BulkCopies.Whole(w, i, lane)], swizzle: 0, BulkCopies.PlainAlignment);
        }
    }

    public static void Commit(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1) w.Stores.Committed[BitOperations.TrailingZeroCount(rest)]++;
    }

    /// <summary>All but the last Offset groups of each lane have read their sources.</summary>
    public static void WaitForReads(Warp w, Instruction i, uint mask) => Wait(w, i, mask, onlyReads: true);

    /// <summary>All but the last Offset groups of each lane have stored.</summary>
    public static void Wait(Warp w, Instruction i, uint mask) => Wait(w, i, mask, onlyReads: false);

    private static void Wait(Warp w, Instruction i, uint mask, bool onlyReads)
    {
        List<BulkStore> pending = w.Stores.Pending;
        for (int k = 0; k < pending.Count; k++)
        {
            BulkStore store = pending[k];
            if ((mask >> store.Lane & 1) == 0 || store.Group >= w.Stores.Committed[store.Lane] - i.Offset) continue;
            if (!store.IsReadWaitedFor)
            {
                Read(store);
                store.IsReadWaitedFor = true;
                w.Block.Shadow?.EndStore(store);
            }
            if (onlyReads) continue;
            Land(store);
            w.Block.BulkStores.Remove(store);
            pending.RemoveAt(k--);
        }
    }

    private static void Issue(Warp w, Instruction i, int lane, BulkRow[] rows, int swizzle, int alignment)
    {
        ThreadBlock block = w.Block;
        ulong from = MemoryAccess.Address(w, i, lane);
        int bytes = BulkCopies.CheckShared(w, i, from, rows, alignment);
        foreach (BulkRow r in rows)
            if (r.Copied > 0 && MemoryAccess.GlobalPlace(w, i, r.Source, r.Copied) is { ReadOnly: true } a)
                throw w.Fault(FaultKind.Illegal, i, $"{a.Name} cannot be written");
        BulkCopies.Touch(w, i, lane, rows);
        var store = new BulkStore(w, lane, i, w.Stores.Committed[lane], (int)from, rows, swizzle);
        int sectors = BulkCopies.Count(w, i, rows, bytes);
        block.Trace?.Store(store, sectors, (bytes + 127) / 128);
        block.Shadow?.IssueStore(store);
        w.Stores.Pending.Add(store);
        block.BulkStores.Add(store);
        int when = block.Random.Next(3);
        if (when < 2) Read(store);
        if (when == 0) Land(store);
    }

    private static void Read(BulkStore store)
    {
        if (store.Data is not null) return;
        store.Data = new byte[store.Rows.Sum(r => r.Bytes)];
        foreach ((int address, int offset) in store.Pieces())
            new ReadOnlySpan<byte>(store.Warp.Block.Shared + address, 16).CopyTo(store.Data.AsSpan(offset));
    }

    /// <summary>What it stores arrives.</summary>
    public static void Land(BulkStore store)
    {
        if (store.HasLanded) return;
        store.HasLanded = true;
        Read(store);
        int at = 0;
        foreach (BulkRow r in store.Rows)
        {
            if (r.Copied > 0)
            {
                Allocation a = MemoryAccess.GlobalPlace(store.Warp, store.Issued, r.Source, r.Copied);
                long offset = (long)(r.Source - a.Address);
                store.Data.AsSpan(at + r.Before, r.Copied).CopyTo(new(a.Host + offset, r.Copied));
                a.MarkWritten(offset, r.Copied);
            }
            at += r.Bytes;
        }
    }

    /// <summary>The block ends: its shared memory with it, so what it stores must have been read.</summary>
    public static void End(List<BulkStore> stores)
    {
        foreach (BulkStore store in stores)
        {
            if (!store.IsReadWaitedFor)
                throw store.Warp.Fault(FaultKind.CopyInFlight, store.Issued, "the block ends before this bulk store has been waited for, "
                    + "at least until it has read its source (cp.async.bulk.commit_group and wait_group.read)");
            Land(store);
        }
        stores.Clear();
    }

    /// <summary>An access to global memory of a block with stores in flight.</summary>
    /// <exception cref="GpuFaultException">It meets one of them.</exception>
    public static void CheckMeets(Warp w, Instruction i, ulong address, int bytes)
    {
        foreach (BulkStore store in w.Block.BulkStores)
            foreach (BulkRow r in store.Rows)
                if (address < r.Source + (ulong)r.Copied && r.Source < address + (ulong)bytes)
                    throw w.Fault(FaultKind.CopyInFlight, i, $"store in flight at 0x{address:x}: warp {w.Id} touches what warp "
                        + $"{store.Warp.Id} stores by line {store.Issued.Source.Line} ({store.Issued.Source}), which has not been waited "
                        + "for by cp.async.bulk.wait_group");
    }
}
