using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Memory;

/// <summary>A piece of a device's addresses: where kernels see it, which memory of this process it is.</summary>
internal sealed unsafe class Allocation(string name, ulong address, long bytes, Backing backing)
{
    private readonly byte* host = backing.Host, written = backing.Written;

    public string Name => name;

    public ulong Address => address;

    public long Bytes => bytes;

    public ulong End => address + (ulong)bytes;

    public Backing Backing => backing;

    public bool ReadOnly { get; set; }

    /// <summary>False while mapped memory may not be accessed.</summary>
    public bool Accessible { get; set; } = true;

    /// <summary>One for each byte that was written; null if reads are not checked.</summary>
    public byte* Written => written;

    public byte* Host => host;

    public bool Holds(ulong at, int count) => at >= address && at - address <= (ulong)bytes - (ulong)count && bytes >= count;

    /// <summary>Notes that the host wrote there.</summary>
    public void MarkWritten(long offset, long count)
    {
        if (written != null) NativeMemory.Fill(written + offset, (nuint)count, 1);
    }
}
