namespace Sa2VA.VirtualGpu.Execution;

/// <summary>A bulk copy from shared to global memory in flight.</summary>
/// <param name="Warp">Whose lane issued it.</param>
/// <param name="Lane">The lane.</param>
/// <param name="Issued">The instruction.</param>
/// <param name="Group">Of the lane's groups the one that it belongs to.</param>
/// <param name="From">Place in shared memory.</param>
/// <param name="Rows">Its parts, one behind the other in shared memory; their sources are where they go.</param>
/// <param name="Swizzle">Bytes over which pieces of 16 bytes are permuted, or 0.</param>
internal sealed record BulkStore(Warp Warp, int Lane, Instruction Issued, long Group, int From, BulkRow[] Rows, int Swizzle)
{
    /// <summary>What it has read; null before it does.</summary>
    public byte[]? Data { get; set; }

    /// <summary>Whether its lane has waited until it had read.</summary>
    public bool IsReadWaitedFor { get; set; }

    /// <summary>Whether what it stores has arrived.</summary>
    public bool HasLanded { get; set; }

    /// <summary>Of its pieces of 16 bytes that it stores something of: the place in shared memory, and behind its begin.</summary>
    public IEnumerable<(int Address, int Offset)> Pieces()
    {
        int at = 0;
        foreach (BulkRow r in Rows)
        {
            for (int piece = r.Before / 16 * 16; piece < r.Before + r.Copied; piece += 16)
                yield return ((int)Execution.Swizzle.Of((uint)(From + at + piece), Swizzle), at + piece);
            at += r.Bytes;
        }
    }
}

/// <summary>Bulk stores of a warp: each lane has groups of its own.</summary>
internal sealed class StoreQueue
{
    public List<BulkStore> Pending { get; } = [];

    /// <summary>Groups that a lane has committed; a store belongs to the group that is committed next.</summary>
    public long[] Committed { get; } = new long[32];

    public void Clear()
    {
        Pending.Clear();
        Array.Clear(Committed);
    }
}
