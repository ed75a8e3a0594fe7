using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Memory without an address (cuMemCreate): alive until it is released and mapped nowhere.</summary>
internal sealed class PhysicalMemory(DriverContext context, Backing backing, long bytes, long taken) : ContextObject(context)
{
    public Backing Backing => backing;

    public long Bytes => bytes;

    public int Mapped { get; set; }

    public bool IsReleased { get; set; }

    public void FreeIfUnused()
    {
        if (Mapped == 0 && IsReleased) Free();
    }

    public void Free()
    {
        backing.Dispose();
        Context.Device.GiveBack(taken);
        Context.Physical.Remove(this);
    }
}

/// <summary>Reserved addresses of a context and what is mapped into them.</summary>
internal sealed class AddressMappings
{
    private readonly List<(ulong Address, ulong Bytes)> reserved = [];
    private readonly List<(Allocation Piece, PhysicalMemory Memory)> mapped = [];

    public int Reservations => reserved.Count;

    public int Mapped => mapped.Count;

    public void Reserve(ulong address, ulong bytes) => reserved.Add((address, bytes));

    /// <exception cref="DriverException">Those are not the addresses of one reservation, or memory is mapped there.</exception>
    public void Free(ulong address, ulong bytes)
    {
        if (Overlapping(address, bytes).Any())
            throw new DriverException(DriverResult.InvalidValue, $"memory is mapped at 0x{address:x}");
        if (!reserved.Remove((address, bytes)))
            throw new DriverException(DriverResult.InvalidValue, $"no {bytes} bytes were reserved at 0x{address:x}");
    }

    /// <summary>Maps the begin of a piece of memory; kernels may not access it yet.</summary>
    /// <exception cref="DriverException">The addresses are not reserved, or in use.</exception>
    public Allocation Map(ulong address, ulong bytes, PhysicalMemory memory, string name)
    {
        if (!reserved.Exists(r => address >= r.Address && address - r.Address <= r.Bytes && bytes <= r.Bytes - (address - r.Address)))
            throw new DriverException(DriverResult.InvalidValue, $"{bytes} bytes at 0x{address:x} are not reserved");
        if (Overlapping(address, bytes).Any())
            throw new DriverException(DriverResult.InvalidValue, $"of {bytes} bytes at 0x{address:x} some are mapped already");
        if (bytes > (ulong)memory.Bytes)
            throw new DriverException(DriverResult.InvalidValue, $"{bytes} bytes of memory that has {memory.Bytes}");
        var piece = new Allocation(name, address, (long)bytes, memory.Backing) { Accessible = false };
        memory.Mapped++;
        mapped.Add((piece, memory));
        return piece;
    }

    /// <summary>Takes whole mappings away; memory that nobody holds any more is freed.</summary>
    public void Unmap(ulong address, ulong bytes, DeviceMemory from)
    {
        foreach ((Allocation piece, PhysicalMemory memory) in Whole(address, bytes))
        {
            mapped.Remove((piece, memory));
            from.Remove(piece);
            memory.Mapped--;
            memory.FreeIfUnused();
        }
    }

    /// <summary>Allows or forbids access to whole mappings: 0 none, 1 reading, 3 reading and writing.</summary>
    public void SetAccess(ulong address, ulong bytes, int access)
    {
        foreach ((Allocation piece, _) in Whole(address, bytes))
        {
            piece.Accessible = access != 0;
            piece.ReadOnly = access == 1;
        }
    }

    /// <summary>The mappings that together are exactly those addresses.</summary>
    private List<(Allocation Piece, PhysicalMemory Memory)> Whole(ulong address, ulong bytes)
    {
        List<(Allocation Piece, PhysicalMemory Memory)> found = [.. Overlapping(address, bytes).OrderBy(m => m.Piece.Address)];
        ulong at = address;
        foreach ((Allocation piece, _) in found) at = piece.Address == at ? piece.End : ulong.MaxValue;
        if (found.Count == 0 || at != address + bytes)
            throw new DriverException(DriverResult.InvalidValue,
                $"{bytes} bytes at 0x{address:x} are not whole mappings one after the other");
        return found;
    }

    private IEnumerable<(Allocation Piece, PhysicalMemory Memory)> Overlapping(ulong address, ulong bytes) =>
        mapped.Where(m => m.Piece.Address < address + bytes && address < m.Piece.End);

    /// <summary>Forgets all: their context ends.</summary>
    public void Clear(DeviceMemory from)
    {
        foreach ((Allocation piece, _) in mapped) from.Remove(piece);
        mapped.Clear();
        reserved.Clear();
    }
}
