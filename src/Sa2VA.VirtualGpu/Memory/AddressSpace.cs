namespace Sa2VA.VirtualGpu.Memory;

/// <summary>
/// Addresses of devices. Pieces lie apart with gaps that belong to nobody, and no address is given twice, so that an access past an end or
/// after a free, or with the address of another context, hits nothing alive.
/// </summary>
/// <param name="reuse">What was given back is given again at once, the latest first, as real drivers like to do.</param>
internal sealed class AddressSpace(bool reuse = false)
{
    public const ulong Gap = 1 << 20;
    private const ulong First = 0x0100_0000_0000;

    /// <summary>Below the window of shared memory.</summary>
    private const ulong End = 0x7e00_0000_0000;

    private readonly List<(ulong Address, ulong Bytes)> free = [];
    private readonly Dictionary<ulong, ulong> taken = [];
    private ulong next = First;

    /// <exception cref="InvalidOperationException">All addresses have been given.</exception>
    public ulong Take(ulong bytes, ulong alignment)
    {
        int place = free.FindLastIndex(f => f.Bytes >= bytes && f.Address % alignment == 0);
        if (place >= 0)
        {
            (ulong again, ulong room) = free[place];
            free.RemoveAt(place);
            taken.Add(again, room);
            return again;
        }
        ulong address = (next + alignment - 1) / alignment * alignment;
        if (address >= End || bytes > End - address) throw new InvalidOperationException("The virtual GPU has no addresses left.");
        next = address + bytes + Gap;
        if (reuse) taken.Add(address, bytes);
        return address;
    }

    /// <summary>Nothing lies any more at an address that was given.</summary>
    public void GiveBack(ulong address)
    {
        if (taken.Remove(address, out ulong bytes)) free.Add((address, bytes));
    }
}
