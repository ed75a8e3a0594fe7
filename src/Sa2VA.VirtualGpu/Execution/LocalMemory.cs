using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Local memory of the threads of a block: each sees its own at the same addresses.</summary>
internal sealed unsafe class LocalMemory(int threads, int bytes, bool checks) : IDisposable
{
    private readonly byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)((long)threads * bytes), 128);
    private readonly byte* written = checks ? (byte*)NativeMemory.Alloc((nuint)((long)threads * bytes)) : null;

    /// <summary>A new block: nothing is written.</summary>
    public void Begin()
    {
        NativeMemory.Fill(memory, (nuint)((long)threads * bytes), 0xff);
        if (written != null) NativeMemory.Clear(written, (nuint)((long)threads * bytes));
    }

    public byte* Place(Warp w, Instruction i, int lane, ulong address, int count, bool write)
    {
        if (address > (ulong)bytes || (ulong)count > (ulong)bytes - address)
            throw w.Fault(FaultKind.OutOfBounds, i,
                $"access of {count} bytes at 0x{address:x} is outside the thread's local memory of {bytes} bytes");
        if ((address & (ulong)(count - 1)) != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"access of {count} bytes at local address 0x{address:x} is misaligned");
        long at = (32L * w.Id + lane) * bytes + (long)address;
        if (written != null)
        {
            var marks = new Span<byte>(written + at, count);
            if (write) marks.Fill(1);
            else if (marks.IndexOf((byte)0) is >= 0 and var hole)
                throw w.Fault(FaultKind.Uninitialised, i,
                    $"read of local memory at 0x{address + (ulong)hole:x}, which thread {32 * w.Id + lane} did not write");
        }
        return memory + at;
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(memory);
        NativeMemory.Free(written);
    }
}
