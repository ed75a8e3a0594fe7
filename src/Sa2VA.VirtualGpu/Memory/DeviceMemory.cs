using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Memory;

/// <summary>
/// What lies at the addresses of a device. Pieces may be added while kernels run; to take one away is for when none does.
/// </summary>
internal sealed unsafe class DeviceMemory(bool tracked, AddressSpace addresses) : IDisposable
{
    private const int Alignment = 256;
    private const int MostRemembered = 256;

    private readonly Queue<Allocation> freed = new();

    /// <summary>In order of their addresses; replaced as a whole, for those who search meanwhile.</summary>
    private Allocation[] live = [];

    public int Count => live.Length;

    /// <summary>How often a piece was taken away.</summary>
    public long Removals { get; private set; }

    /// <summary>Pieces that belong to somebody.</summary>
    public OwnedRanges Owned { get; } = new();

    /// <summary>What streams touched; null if that is not checked.</summary>
    public StreamRaces? Races { get; init; }

    public Allocation Allocate(long bytes, string name)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        var backing = new Backing(bytes, Alignment, poisoned: tracked, tracked);
        var a = new Allocation(name, addresses.Take((ulong)bytes, Alignment), bytes, backing);
        Add(a);
        return a;
    }

    public void Add(Allocation a)
    {
        Allocation[] pieces = live;
        int at = pieces.Length;
        while (at > 0 && pieces[at - 1].Address > a.Address) at--;
        Volatile.Write(ref live, [.. pieces[..at], a, .. pieces[at..]]);
    }

    /// <summary>Takes a piece away; its memory stays.</summary>
    public void Remove(Allocation a)
    {
        Removals++;
        Races?.Forget(a.Address, a.Bytes);
        Owned.Give(a.Address, a.Bytes, null);
        freed.Enqueue(a);
        if (freed.Count > MostRemembered) freed.Dequeue();
        Volatile.Write(ref live, [.. live.Where(x => x != a)]);
    }

    /// <summary>The piece that begins there, or null.</summary>
    public Allocation? At(ulong address) => Around(address) is { } a && a.Address == address ? a : null;

    public void Free(ulong address)
    {
        Allocation a = At(address) ?? throw new ArgumentException($"No allocation begins at 0x{address:x}.", nameof(address));
        Remove(a);
        addresses.GiveBack(address);
        a.Backing.Dispose();
    }

    /// <summary>The piece that holds an address, accessible or not; null if there is none.</summary>
    public Allocation? Around(ulong address)
    {
        Allocation[] pieces = Volatile.Read(ref live);
        int low = 0, high = pieces.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            Allocation a = pieces[middle];
            if (address < a.Address) high = middle - 1;
            else if (address - a.Address >= (ulong)a.Bytes) low = middle + 1;
            else return a;
        }
        return null;
    }

    /// <summary>The piece that holds those bytes and may be accessed, or null.</summary>
    public Allocation? Find(ulong address, int bytes) =>
        Around(address) is { } a && a.Accessible && a.Holds(address, bytes) ? a : null;

    /// <summary>Whether accessible pieces that follow each other hold all of those bytes.</summary>
    public bool Covers(ulong address, ulong bytes)
    {
        for (ulong at = address, end = address + bytes; at < end;)
        {
            if (Find(at, 1) is not { } a) return false;
            at = a.End;
        }
        return address + bytes >= address;
    }

    /// <summary>Copies from the host, over pieces that follow each other. The bytes must be covered.</summary>
    public void Write(ulong address, byte* from, ulong bytes)
    {
        while (bytes > 0)
        {
            (Allocation a, ulong offset, ulong n) = Piece(address, bytes);
            NativeMemory.Copy(from, a.Host + offset, (nuint)n);
            a.MarkWritten((long)offset, (long)n);
            from += n;
            (address, bytes) = (address + n, bytes - n);
        }
    }

    /// <summary>Copies to the host.</summary>
    public void Read(ulong address, byte* to, ulong bytes)
    {
        while (bytes > 0)
        {
            (Allocation a, ulong offset, ulong n) = Piece(address, bytes);
            NativeMemory.Copy(a.Host + offset, to, (nuint)n);
            to += n;
            (address, bytes) = (address + n, bytes - n);
        }
    }

    /// <summary>Copies within the device; what was not written stays so.</summary>
    public void Copy(ulong to, ulong from, ulong bytes)
    {
        while (bytes > 0)
        {
            (Allocation s, ulong source, ulong most) = Piece(from, bytes);
            (Allocation d, ulong destination, ulong n) = Piece(to, most);
            NativeMemory.Copy(s.Host + source, d.Host + destination, (nuint)n);
            if (d.Written != null)
            {
                if (s.Written != null) NativeMemory.Copy(s.Written + source, d.Written + destination, (nuint)n);
                else d.MarkWritten((long)destination, (long)n);
            }
            (to, from, bytes) = (to + n, from + n, bytes - n);
        }
    }

    public void Fill(ulong address, byte value, ulong bytes)
    {
        while (bytes > 0)
        {
            (Allocation a, ulong offset, ulong n) = Piece(address, bytes);
            NativeMemory.Fill(a.Host + offset, (nuint)n, value);
            a.MarkWritten((long)offset, (long)n);
            (address, bytes) = (address + n, bytes - n);
        }
    }

    private (Allocation Piece, ulong Offset, ulong Bytes) Piece(ulong address, ulong most)
    {
        Allocation a = Find(address, 1) ?? throw new ArgumentException($"0x{address:x} is {Describe(address)}.", nameof(address));
        return (a, address - a.Address, Math.Min(most, a.End - address));
    }

    /// <summary>
    /// Where an address lies that no live allocation holds: after which one's end, before which one's begin, in which freed one.
    /// </summary>
    public string Describe(ulong address)
    {
        Allocation[] pieces = live;
        Allocation? before = pieces.LastOrDefault(a => a.Address <= address), after = pieces.FirstOrDefault(a => a.Address > address);
        if (before is { Accessible: false } && address < before.End) return $"inside {before.Name}, to which no access was given";
        foreach (Allocation a in freed.Reverse())
            if (address >= a.Address && address - a.Address < (ulong)Math.Max(a.Bytes, 1)) return $"inside {a.Name}, which was freed";
        bool nearAfter = after is not null && after.Address - address <= AddressSpace.Gap / 2;
        if (!nearAfter && before is not null && address - before.Address < (ulong)before.Bytes + AddressSpace.Gap)
        {
            long offset = (long)(address - before.Address);
            return offset < before.Bytes
                ? $"across the end of {before.Name} ({before.Bytes} bytes), at its byte {offset}"
                : $"{offset - before.Bytes} bytes past the end of {before.Name} ({before.Bytes} bytes)";
        }
        return nearAfter ? $"{after!.Address - address} bytes before {after.Name}" : "in no allocation";
    }

    /// <summary>Frees the memory of all pieces.</summary>
    public void Dispose()
    {
        foreach (Backing b in live.Select(a => a.Backing).Distinct()) b.Dispose();
        live = [];
    }
}
