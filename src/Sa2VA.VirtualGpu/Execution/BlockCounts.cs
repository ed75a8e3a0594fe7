namespace Sa2VA.VirtualGpu.Execution;

/// <summary>What the blocks of one worker did, by instruction; what they asked of memory only where that is counted.</summary>
internal sealed class BlockCounts(int instructions, bool countsMemory)
{
    /// <summary>
    /// Times a warp ran it, whatever lanes were on; straight runs count with their first alone (<see cref="Instruction.Straight"/>).
    /// </summary>
    public long[] Executed { get; } = new long[instructions];

    public long[] Lanes { get; } = new long[instructions];

    public long[] GlobalRequests { get; } = OfMemory(instructions, countsMemory);

    public long[] GlobalSectors { get; } = OfMemory(instructions, countsMemory);

    public long[] SharedRequests { get; } = OfMemory(instructions, countsMemory);

    public long[] SharedWavefronts { get; } = OfMemory(instructions, countsMemory);

    /// <summary>What they would have been for the same lanes at their best: see <see cref="Counters.AccessCounts"/>.</summary>
    public long[] LeastSectors { get; } = OfMemory(instructions, countsMemory);

    public long[] LeastWavefronts { get; } = OfMemory(instructions, countsMemory);

    public bool CountsMemory => countsMemory;

    public long GlobalBytes { get; set; }

    /// <summary>Branches that some lanes of a warp took and some did not.</summary>
    public long Divergences { get; set; }

    private static long[] OfMemory(int instructions, bool countsMemory) => countsMemory ? new long[instructions] : [];
}
