namespace Sa2VA.VirtualGpu.Execution;

/// <summary>What the blocks of one worker did, by instruction.</summary>
internal sealed class BlockCounts(int instructions)
{
    /// <summary>Times a warp ran it, whatever lanes were on.</summary>
    public long[] Executed { get; } = new long[instructions];

    public long[] Lanes { get; } = new long[instructions];

    public long[] GlobalRequests { get; } = new long[instructions];

    public long[] GlobalSectors { get; } = new long[instructions];

    public long[] SharedRequests { get; } = new long[instructions];

    public long[] SharedWavefronts { get; } = new long[instructions];

    /// <summary>What they would have been for the same lanes at their best: see <see cref="Counters.AccessCounts"/>.</summary>
    public long[] LeastSectors { get; } = new long[instructions];

    public long[] LeastWavefronts { get; } = new long[instructions];

    public long GlobalBytes { get; set; }

    /// <summary>Branches that some lanes of a warp took and some did not.</summary>
    public long Divergences { get; set; }
}
