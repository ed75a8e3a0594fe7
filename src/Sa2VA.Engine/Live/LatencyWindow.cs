namespace Sa2VA.Engine;

/// <summary>The latest latencies, of which percentiles can be told.</summary>
internal sealed class LatencyWindow
{
    /// <summary>Latencies that count.</summary>
    public const int Size = 1024;

    private readonly long[] _ticks = new long[Size], _sorted = new long[Size];
    private long _count;

    /// <summary>Adds one; the oldest makes room.</summary>
    public void Add(TimeSpan latency) => _ticks[_count++ % Size] = latency.Ticks;

    /// <summary>Percentiles by the nearest rank; zero before the first latency.</summary>
    public (TimeSpan P50, TimeSpan P95, TimeSpan P99) Percentiles()
    {
        Span<long> sorted = _sorted.AsSpan(0, (int)Math.Min(_count, Size));
        if (sorted.IsEmpty) return default;
        _ticks.AsSpan(0, sorted.Length).CopyTo(sorted);
        sorted.Sort();
        return (Rank(sorted, 50), Rank(sorted, 95), Rank(sorted, 99));
    }

    private static TimeSpan Rank(ReadOnlySpan<long> sorted, int percent) => new(sorted[(sorted.Length * percent + 99) / 100 - 1]);
}
