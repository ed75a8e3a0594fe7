using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>A piece of work of a stream: which, and what was known to have ended when it began.</summary>
/// <param name="Stream">The stream's number.</param>
/// <param name="Stretch">Of the stream's work.</param>
/// <param name="Known">What its stream had waited for.</param>
/// <param name="Oldest">What all work that may still come will know.</param>
internal readonly record struct StreamPlace(int Stream, long Stretch, StreamClock Known, StreamClock Oldest);

/// <summary>
/// What the work of all streams touched of a context's memory, as far as others may still meet it: two streams that touch a byte, one of
/// which writes, need an event or the host between them. Whatever order the work ran in, the race is found. Used by one thread at a time.
/// </summary>
internal sealed class StreamRaces
{
    private sealed class Visit(int stream, long stretch, ulong[] bits)
    {
        public int Stream => stream;

        public long Stretch => stretch;

        public ulong[] Bits => bits;

        /// <summary>What came last in this stretch.</summary>
        public required string By { get; set; }
    }

    private readonly Dictionary<ulong, List<Visit>> pages = [];

    /// <summary>Takes in what a piece of work touched.</summary>
    /// <returns>A race in words, or null.</returns>
    public string? Add(LaunchFootprint touched, StreamPlace at, string by, DeviceMemory memory)
    {
        foreach ((ulong number, ulong[] bits) in touched.Pages)
        {
            if (!pages.TryGetValue(number, out List<Visit>? visits)) pages.Add(number, visits = []);
            visits.RemoveAll(v => at.Oldest[v.Stream] >= v.Stretch);
            Visit? own = null;
            foreach (Visit v in visits)
            {
                if (v.Stream == at.Stream)
                {
                    if (v.Stretch == at.Stretch) own = v;
                    continue;
                }
                if (at.Known[v.Stream] >= v.Stretch) continue;
                int race = LaunchFootprint.Meet(bits, v.Bits, merge: false);
                if (race < 0) continue;
                string where = RaceWatch.Place(memory, (number << BlockFootprint.PageShift) + (ulong)race);
                return $"race between streams at {where}: {by} in stream {at.Stream} and {v.By} or what came before it in stream "
                    + $"{v.Stream} touch it, one writes, and neither stream waited for the other";
            }
            if (own is null) visits.Add(new(at.Stream, at.Stretch, [.. bits]) { By = by });
            else
            {
                LaunchFootprint.Meet(bits, own.Bits, merge: true);
                own.By = by;
            }
        }
        return null;
    }

    /// <summary>Memory is gone: what comes to lie there is something else.</summary>
    public void Forget(ulong address, long bytes)
    {
        if (bytes == 0) return;
        ulong first = address >> BlockFootprint.PageShift, last = (address + (ulong)bytes - 1) >> BlockFootprint.PageShift;
        foreach (ulong number in pages.Keys.Where(n => n >= first && n <= last).ToArray()) pages.Remove(number);
    }
}
