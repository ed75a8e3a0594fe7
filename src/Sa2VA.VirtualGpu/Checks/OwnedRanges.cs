using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// Pieces of allocations that belong to somebody, as pages of a pool do. Whoever touches a byte of another's is found, and so is who wrote
/// there last.
/// </summary>
internal sealed class OwnedRanges
{
    private sealed class OwnedRange(ulong address, long bytes, string owner)
    {
        public ulong Address => address;

        public string Owner => owner;

        /// <summary>Who wrote there last, in words; null if no kernel did.</summary>
        public string? Writer { get; set; }

        public bool Meets(ulong at, long count) => at < address + (ulong)bytes && address < at + (ulong)count;
    }

    private readonly List<OwnedRange> ranges = [];

    public bool IsEmpty => ranges.Count == 0;

    /// <summary>Whatever the bytes were of before, they are this owner's now; null: nobody's.</summary>
    public void Give(ulong address, long bytes, string? owner)
    {
        ranges.RemoveAll(r => r.Meets(address, bytes));
        if (owner is not null) ranges.Add(new(address, bytes, owner));
    }

    /// <param name="owner">For whom the block works; null: for all.</param>
    /// <param name="w">A warp of it.</param>
    /// <param name="i">What it runs.</param>
    /// <param name="lane">Whose access it is.</param>
    /// <param name="address">Where.</param>
    /// <param name="bytes">How much.</param>
    /// <exception cref="GpuFaultException">The bytes are another's.</exception>
    public void Touch(string? owner, Warp w, Instruction i, int lane, ulong address, int bytes)
    {
        foreach (OwnedRange range in ranges)
        {
            if (!range.Meets(address, bytes)) continue;
            if (owner is not null && range.Owner != owner)
                throw w.Fault(FaultKind.Foreign, i, $"thread {32 * w.Id + lane} {i.Touch.Verb(past: false)} "
                    + $"{RaceWatch.Place(w.Block.Memory, address)}, which belongs to {range.Owner}, while the block works for {owner}; "
                    + $"{range.Writer ?? "no kernel"} wrote there last");
            if (i.Touch.Writes())
                range.Writer = $"{w.Block.Kernel.Name}, PTX line {i.Source.Line} ({i.Source}), block {w.Block.At}, "
                    + $"thread {32 * w.Id + lane},";
        }
    }
}
