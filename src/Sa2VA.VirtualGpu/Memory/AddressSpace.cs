namespace Sa2VA.VirtualGpu.Memory;

/// <summary>
/// Addresses of devices. Pieces lie apart with gaps that belong to nobody, and no address is given twice, so that an access past an end or
/// after a free, or with the address of another context, hits nothing alive.
/// </summary>
internal sealed class AddressSpace
{
    public const ulong Gap = 1 << 20;
    private const ulong First = 0x0100_0000_0000;

    /// <summary>Below the window of shared memory.</summary>
    private const ulong End = 0x7e00_0000_0000;

    private ulong next = First;

    /// <exception cref="InvalidOperationException">All addresses have been given.</exception>
    public ulong Take(ulong bytes, ulong alignment)
    {
        ulong address = (next + alignment - 1) / alignment * alignment;
        if (address >= End || bytes > End - address) throw new InvalidOperationException("The virtual GPU has no addresses left.");
        next = address + bytes + Gap;
        return address;
    }
}
