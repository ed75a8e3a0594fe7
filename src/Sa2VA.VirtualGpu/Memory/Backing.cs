using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Memory;

/// <summary>Memory of this process that stands for memory of a device, and which of its bytes were written.</summary>
/// <remarks>Where reads are not checked, nothing is touched before a kernel does, so that large pieces cost addresses only.</remarks>
internal sealed unsafe class Backing : IDisposable
{
    private void* block;

    /// <param name="bytes">How many.</param>
    /// <param name="alignment">Of Host in this process, a power of two.</param>
    /// <param name="poisoned">
    /// Whoever reads what nothing wrote gets NaN in every float type; otherwise zeros, as the operating system gives them.
    /// </param>
    /// <param name="tracked">Notes which bytes are written.</param>
    public Backing(long bytes, int alignment, bool poisoned, bool tracked)
    {
        block = NativeMemory.AllocZeroed((nuint)bytes + (nuint)alignment);
        Host = (byte*)(((nuint)block + (nuint)alignment - 1) & ~((nuint)alignment - 1));
        if (poisoned) NativeMemory.Fill(Host, (nuint)bytes, 0xff);
        if (tracked) Written = (byte*)NativeMemory.AllocZeroed((nuint)Math.Max(bytes, 1));
    }

    public byte* Host { get; }

    /// <summary>One for each byte that was written; null if reads are not checked.</summary>
    public byte* Written { get; private set; }

    public void Dispose()
    {
        NativeMemory.Free(block);
        NativeMemory.Free(Written);
        block = null;
        Written = null;
    }
}
