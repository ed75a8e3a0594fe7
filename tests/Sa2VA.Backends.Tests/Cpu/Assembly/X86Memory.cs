using System.Buffers.Binary;

namespace Sa2VA.Tests;

/// <summary>What kernels do that no processor would have let pass, or that its caller would have suffered from.</summary>
internal sealed class X86Fault(string message) : Exception(message);

/// <summary>
/// Memory of an <see cref="X86Machine"/>: regions far apart, each exactly as long as it may be used, that know which of their bytes were
/// ever written.
/// </summary>
internal sealed class X86Memory
{
    private const ulong Apart = 1UL << 32;

    private readonly List<X86Region> _regions = [];

    /// <summary>Lays down a region. Its address is a multiple of 64, and 4 more where it says nothing about alignment.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="bytes">Its bytes, or null for some that nobody has written.</param>
    /// <param name="length">How many.</param>
    /// <param name="isWritable">False for what must not be written.</param>
    /// <param name="isAligned">False for floats that may lie anywhere.</param>
    public X86Region Add(string name, byte[]? bytes, int length, bool isWritable, bool isAligned = false)
    {
        var defined = new bool[length];
        if (bytes is not null) Array.Fill(defined, true);
        var region = new X86Region(name, Apart * (ulong)(_regions.Count + 1) + (isAligned ? 0u : 4u), bytes ?? new byte[length], defined,
            isWritable);
        _regions.Add(region);
        return region;
    }

    public uint Read32(ulong address) => BinaryPrimitives.ReadUInt32LittleEndian(Read(address, 4));

    public ulong Read64(ulong address) => BinaryPrimitives.ReadUInt64LittleEndian(Read(address, 8));

    public ReadOnlySpan<byte> Read(ulong address, int count)
    {
        (X86Region region, int at) = Find(address, count, "read");
        for (int i = 0; i < count; i++)
            if (!region.Defined[at + i]) throw new X86Fault($"reads byte {at + i} of {region.Name}, which nobody wrote");
        return region.Bytes.AsSpan(at, count);
    }

    public void Write32(ulong address, uint value)
    {
        (X86Region region, int at) = Find(address, 4, "write");
        if (!region.IsWritable) throw new X86Fault($"writes byte {at} of {region.Name}, which is only read");
        BinaryPrimitives.WriteUInt32LittleEndian(region.Bytes.AsSpan(at), value);
        region.Defined.AsSpan(at, 4).Fill(true);
    }

    private (X86Region Region, int At) Find(ulong address, int count, string what)
    {
        foreach (X86Region region in _regions)
            if (address - region.Address < Apart / 2 && address >= region.Address)
                return address + (ulong)count <= region.Address + (ulong)region.Bytes.Length ? (region, (int)(address - region.Address))
                    : throw new X86Fault($"{what}s {count} bytes at {address - region.Address} of {region.Name} ({region.Bytes.Length})");
        throw new X86Fault($"{what}s {count} bytes at {address:x}, where nothing is");
    }
}

/// <summary>Bytes at an address.</summary>
internal sealed record X86Region(string Name, ulong Address, byte[] Bytes, bool[] Defined, bool IsWritable);
