namespace Sa2VA.VirtualGpu.Execution;

/// <summary>The mbarriers of a block by their places in shared memory.</summary>
internal sealed class MbarrierTable(ThreadBlock block, Warp[] warps)
{
    private readonly Dictionary<int, Mbarrier> byAddress = [];
    private int made;

    public void Clear()
    {
        byAddress.Clear();
        made = 0;
    }

    public Mbarrier? At(int address) => byAddress.GetValueOrDefault(address);

    public void Add(Warp w, Instruction i, int address, int count)
    {
        if (!byAddress.TryAdd(address, new(block, address, count, w.Id, made++) { Pending = count }))
            throw w.Fault(FaultKind.Mbarrier, i, $"there is an mbarrier at shared address 0x{address:x} already (mbarrier.inval ends one)");
        block.Trace?.Mbarriers.Add((address, count));
    }

    public void Remove(Mbarrier b) => byAddress.Remove(b.Address);

    public void Fence(Warp w)
    {
        foreach (Mbarrier b in byAddress.Values)
            if (b.Warp == w.Id) b.IsFenced = true;
    }

    /// <summary>Ends the phase if nothing is missing, and wakes those who wait for that.</summary>
    public void Settle(Mbarrier b, Warp w, Instruction i)
    {
        if (b.Pending > 0 || b.Bytes != 0) return;
        if (b.Copies.Count > 0)
        {
            BulkCopy open = b.Copies[0];
            throw w.Fault(FaultKind.Mbarrier, i, $"a phase of the mbarrier at 0x{b.Address:x} ends while "
                + $"{b.Copies.Sum(c => c.Bytes)} bytes of copies that will tell it are in flight, such as that of line "
                + $"{open.Issued.Source.Line} ({open.Issued.Source}): more bytes must be expected");
        }
        b.Advance();
        foreach (Warp sleeper in warps) sleeper.Wake(b);
    }
}
