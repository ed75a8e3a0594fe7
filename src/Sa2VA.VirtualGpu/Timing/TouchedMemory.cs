namespace Sa2VA.VirtualGpu.Timing;

/// <summary>
/// Which global memory is in L2: ranges that launches touched, those of longest ago forgotten when L2 is full. A launch's sample tells its
/// ranges; what it touches of one is what its blocks touch first, scaled, but no more than the range.
/// </summary>
/// <param name="capacity">Bytes of L2.</param>
internal sealed class TouchedMemory(long capacity)
{
    /// <summary>Used last first.</summary>
    private readonly LinkedList<(ulong First, ulong End, double Bytes)> recent = [];

    /// <summary>Notes what a launch touches.</summary>
    /// <returns>Bytes that device memory must give or take for it: those that were not in L2.</returns>
    public double Missed(TracedLaunch launch)
    {
        double missed = 0;
        List<(ulong First, ulong End, double Bytes)> ranges = Ranges(launch);
        foreach ((ulong first, ulong end, double bytes) in ranges)
        {
            double covered = recent.Sum(r => (double)Overlap(r, first, end) / (r.End - r.First) * r.Bytes);
            missed += Math.Max(0, bytes - covered);
        }
        foreach (var range in ranges)
        {
            for (var node = recent.First; node is not null;)
            {
                var next = node.Next;
                Cut(node, range.First, range.End);
                node = next;
            }
            recent.AddFirst(range);
        }
        double all = 0;
        for (var node = recent.First; node is not null;)
        {
            var next = node.Next;
            all += node.Value.Bytes;
            // A range that does not fit has pushed its own begin out before it comes again.
            if (all > capacity) recent.Remove(node);
            node = next;
        }
        return missed;
    }

    private static ulong Overlap((ulong First, ulong End, double Bytes) r, ulong first, ulong end)
    {
        ulong from = Math.Max(r.First, first), to = Math.Min(r.End, end);
        return to > from ? to - from : 0;
    }

    /// <summary>Takes what a newer range has out of an older one.</summary>
    private void Cut(LinkedListNode<(ulong First, ulong End, double Bytes)> node, ulong first, ulong end)
    {
        var old = node.Value;
        if (Overlap(old, first, end) == 0) return;
        double density = old.Bytes / (old.End - old.First);
        if (old.First < first) recent.AddBefore(node, (old.First, first, density * (first - old.First)));
        if (old.End > end) recent.AddBefore(node, (end, old.End, density * (old.End - end)));
        recent.Remove(node);
    }

    /// <summary>In bytes; overlapping ranges of several instructions are one.</summary>
    private static List<(ulong First, ulong End, double Bytes)> Ranges(TracedLaunch launch)
    {
        double scale = (double)launch.Blocks / launch.Traces.Count;
        var sums = new TouchedRange[launch.Program.Operations.Length];
        foreach (BlockTrace t in launch.Traces)
            for (int n = 0; n < sums.Length; n++) sums[n] = sums[n].With(t.Touched[n]);
        List<(ulong First, ulong End, double Bytes)> merged = [];
        foreach (TouchedRange r in sums.Where(r => r.Sectors > 0).OrderBy(r => r.First))
        {
            double bytes = 32 * r.Sectors * scale;
            if (merged.Count > 0 && 32 * r.First < merged[^1].End)
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].End, 32 * r.End), merged[^1].Bytes + bytes);
            else merged.Add((32 * r.First, 32 * r.End, bytes));
        }
        return [.. merged.Select(m => (m.First, m.End, Math.Min(m.Bytes, m.End - m.First)))];
    }
}
