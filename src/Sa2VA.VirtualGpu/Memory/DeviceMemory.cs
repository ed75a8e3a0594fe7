namespace Sa2VA.VirtualGpu.Memory;

/// <summary>
/// The address space of a device. Allocations lie apart with gaps that belong to nobody, and no address is used twice, so that an access
/// past
/// an end or after a free hits nothing alive.
/// </summary>
internal sealed class DeviceMemory(bool tracked) : IDisposable
{
    private const ulong First = 0x7000_0000_0000;
    private const ulong Gap = 1 << 20;
    private const int MostRemembered = 256;

    private readonly List<Allocation> live = [];
    private readonly Queue<Allocation> freed = new();
    private ulong next = First;

    public int Count => live.Count;

    public Allocation Allocate(long bytes, string name, bool readOnly = false)
    {
        if (bytes is < 0 or > int.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(bytes), bytes, $"An allocation has 0 to {int.MaxValue} bytes.");
        var a = new Allocation(name, next, bytes, tracked) { ReadOnly = readOnly };
        next += ((ulong)bytes + Gap + 255) / 256 * 256;
        live.Add(a);
        return a;
    }

    public void Free(ulong address)
    {
        int n = live.FindIndex(a => a.Address == address);
        if (n < 0) throw new ArgumentException($"No allocation begins at 0x{address:x}.", nameof(address));
        freed.Enqueue(live[n]);
        live[n].Dispose();
        live.RemoveAt(n);
        if (freed.Count > MostRemembered) freed.Dequeue();
    }

    /// <summary>The allocation that holds those bytes, or null. Allocations are in order of their addresses.</summary>
    public Allocation? Find(ulong address, int bytes)
    {
        int low = 0, high = live.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            Allocation a = live[middle];
            if (address < a.Address) high = middle - 1;
            else if (address - a.Address >= (ulong)a.Bytes) low = middle + 1;
            else return a.Holds(address, bytes) ? a : null;
        }
        return null;
    }

    /// <summary>
    /// Where an address lies that no live allocation holds: after which one's end, before which one's begin, in which freed one.
    /// </summary>
    public string Describe(ulong address)
    {
        foreach (Allocation a in freed)
            if (address >= a.Address && address - a.Address < (ulong)Math.Max(a.Bytes, 1)) return $"inside {a.Name}, which was freed";
        Allocation? before = live.LastOrDefault(a => a.Address <= address), after = live.FirstOrDefault(a => a.Address > address);
        bool nearAfter = after is not null && after.Address - address <= Gap / 2;
        if (!nearAfter && before is not null && address - before.Address < (ulong)before.Bytes + Gap)
        {
            long offset = (long)(address - before.Address);
            return offset < before.Bytes
                ? $"across the end of {before.Name} ({before.Bytes} bytes), at its byte {offset}"
                : $"{offset - before.Bytes} bytes past the end of {before.Name} ({before.Bytes} bytes)";
        }
        return nearAfter ? $"{after!.Address - address} bytes before {after.Name}" : "in no allocation";
    }

    public void Dispose()
    {
        foreach (Allocation a in live) a.Dispose();
        live.Clear();
    }
}
