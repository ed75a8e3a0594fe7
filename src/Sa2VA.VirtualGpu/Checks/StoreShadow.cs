using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>Bulk stores, which read shared memory beside the warps.</summary>
/// <remarks>
/// From its issue until its lane has waited for its reading, a store owns the cells that it reads: who writes there may change what it
/// stores, whoever it is. Then it counts as read by its warp.
/// </remarks>
internal sealed partial class SharedShadow
{
    /// <summary>Of each cell the stores that may still read it; null in kernels without any.</summary>
    private readonly ushort[]? storing;

    /// <summary>A store begins: it may read at any time from now on.</summary>
    public void IssueStore(BulkStore store)
    {
        foreach ((int place, _) in store.Pieces())
        {
            int address = store.Warp.Block.ShadowBase + place;
            CheckAsynchronousRead(store.Warp, store.Issued, address, "reads in a bulk store", "a bulk store");
            for (int cell = address >> cellShift; cell <= address + 15 >> cellShift; cell++) storing![cell]++;
        }
    }

    /// <summary>A store has been waited for until it had read.</summary>
    public void EndStore(BulkStore store)
    {
        int warp = store.Warp.Actor, begin = store.Warp.Block.ShadowBase;
        ulong mark = (ulong)known[warp][warp] << 32 | (uint)store.Issued.Index;
        ulong[] mine = reads[warp]!;
        foreach ((int address, _) in store.Pieces())
            for (int cell = begin + address >> cellShift; cell <= begin + address + 15 >> cellShift; cell++)
            {
                storing![cell]--;
                mine[cell] = mark;
                latest[cell] = Math.Max(latest[cell], mark);
            }
    }

    private bool IsStoring(int cell, int end) => storing is not null && storing.AsSpan(cell, end - cell).IndexOfAnyExcept((ushort)0) >= 0;

    private void CheckStores(Warp w, Instruction i, int cell)
    {
        if (storing is null || storing[cell] == 0) return;
        int at = Place(cell) >> cellShift;
        BulkStore store = w.Block.OfCell(cell << cellShift).BulkStores.Find(s => !s.IsReadWaitedFor
            && s.Pieces().Any(p => at >= p.Address >> cellShift && at <= p.Address + 15 >> cellShift))!;
        throw w.Fault(FaultKind.CopyInFlight, i, $"store in flight at shared address 0x{Place(cell):x}: warp {w.Id} overwrites what "
            + $"the bulk store of line {Place((uint)store.Issued.Index)} may still read: warp {store.Warp.Id} has not waited for that by "
            + "cp.async.bulk.wait_group.read");
    }
}
