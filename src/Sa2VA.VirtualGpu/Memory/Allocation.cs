using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Memory;

/// <summary>One piece of device memory: where kernels see it, where it is, which of its bytes were written.</summary>
internal sealed unsafe class Allocation : IDisposable
{
    private readonly byte* host;

    public Allocation(string name, ulong address, long bytes, bool tracked)
    {
        Name = name;
        Address = address;
        Bytes = bytes;
        host = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), 256);
        // Whoever reads what nothing wrote gets NaN in every float type.
        NativeMemory.Fill(host, (nuint)bytes, 0xff);
        if (tracked) Written = new byte[bytes];
    }

    public string Name { get; }

    public ulong Address { get; }

    public long Bytes { get; }

    public bool ReadOnly { get; init; }

    public bool Freed { get; private set; }

    /// <summary>One for each byte that was written; null if reads are not checked.</summary>
    public byte[]? Written { get; }

    public byte* Host => host;

    public bool Holds(ulong address, int bytes) => address >= Address && address - Address <= (ulong)Bytes - (ulong)bytes && Bytes >= bytes;

    /// <summary>Notes that the host wrote there.</summary>
    public void MarkWritten(long offset, long bytes)
    {
        if (Written is null) return;
        for (long at = offset, end = offset + bytes; at < end;)
        {
            int n = (int)Math.Min(end - at, 1 << 30);
            Written.AsSpan().Slice((int)at, n).Fill(1);
            at += n;
        }
    }

    public void Dispose()
    {
        if (Freed) return;
        Freed = true;
        NativeMemory.AlignedFree(host);
    }
}
