namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// What somebody knows to have ended: of each stream, by its number, the last stretch of its work. A stretch ends where others can learn of
/// it: at a recording, at the end of a graph, or where the host waited.
/// </summary>
internal readonly record struct StreamClock(long[]? Stretches)
{
    private long[] All => Stretches ?? [];

    public long this[int stream] => stream < All.Length ? All[stream] : 0;

    /// <summary>What either knows.</summary>
    public StreamClock With(StreamClock other)
    {
        if (Covers(other)) return this;
        if (other.Covers(this)) return other;
        var both = new long[Math.Max(All.Length, other.All.Length)];
        for (int n = 0; n < both.Length; n++) both[n] = Math.Max(this[n], other[n]);
        return new(both);
    }

    /// <summary>That, and a stretch of a stream.</summary>
    public StreamClock With(int stream, long stretch)
    {
        if (this[stream] >= stretch) return this;
        var more = new long[Math.Max(All.Length, stream + 1)];
        All.CopyTo(more, 0);
        more[stream] = stretch;
        return new(more);
    }

    /// <summary>What both know.</summary>
    /// <param name="other">The other.</param>
    /// <param name="own">A stream of which the other knows all, as it is its own.</param>
    public StreamClock Common(StreamClock other, int own)
    {
        var both = new long[All.Length];
        for (int n = 0; n < both.Length; n++) both[n] = n == own ? this[n] : Math.Min(this[n], other[n]);
        return new(both);
    }

    private bool Covers(StreamClock other)
    {
        for (int n = 0; n < other.All.Length; n++)
            if (other[n] > this[n]) return false;
        return true;
    }
}
