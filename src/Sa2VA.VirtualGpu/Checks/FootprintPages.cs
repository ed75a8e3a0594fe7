namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// Pages of footprints that launches have given back, for the next ones: launches follow each other quickly and touch thousands, which the
/// garbage collector would have to find dead again and again.
/// </summary>
internal static class FootprintPages
{
    /// <summary>Pages that are kept, 2 KiB each.</summary>
    private const int Most = 1 << 14;

    private static readonly Stack<ulong[]> Spare = [];
    private static readonly Lock Gate = new();

    /// <summary>A page without a bit.</summary>
    public static ulong[] Take()
    {
        lock (Gate)
        {
            if (Spare.TryPop(out ulong[]? page)) return page;
        }
        return new ulong[BlockFootprint.WordsPerPage];
    }

    /// <summary>Takes pages back, whatever is in them.</summary>
    public static void GiveBack(IEnumerable<ulong[]> pages)
    {
        lock (Gate)
        {
            foreach (ulong[] page in pages)
            {
                if (Spare.Count == Most) return;
                Array.Clear(page);
                Spare.Push(page);
            }
        }
    }
}
