using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Native memory aligned to 64 bytes with one owner. Contents are undefined unless zeroed.</summary>
internal sealed unsafe class AlignedMemory : IDisposable
{
    private byte* _pointer;

    public AlignedMemory(long bytes, bool zeroed = false)
    {
        if (bytes < 0) throw new ArgumentOutOfRangeException(nameof(bytes));
        _pointer = Allocate(bytes);
        Bytes = bytes;
        if (zeroed) NativeMemory.Clear(_pointer, (nuint)Math.Max(bytes, 64));
    }

    public long Bytes { get; private set; }

    public byte* Pointer
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _pointer != null ? _pointer : throw new ObjectDisposedException(nameof(AlignedMemory));
    }

    public float* Floats => (float*)Pointer;

    /// <summary>Another size; contents are lost. The old memory goes first, to need no room for both; it comes back if the new one is refused.</summary>
    public void Resize(long bytes)
    {
        NativeMemory.AlignedFree(Pointer);
        _pointer = null;
        try
        {
            _pointer = Allocate(bytes);
            Bytes = bytes;
        }
        catch (DeviceException)
        {
            _pointer = Allocate(Bytes);
            throw;
        }
    }

    public void Dispose()
    {
        if (_pointer == null) return;
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }

    private static byte* Allocate(long bytes)
    {
        try
        {
            return (byte*)NativeMemory.AlignedAlloc(checked((nuint)Math.Max(bytes, 64)), 64);
        }
        catch (OutOfMemoryException e)
        {
            throw new DeviceException($"The machine refused {bytes / 1048576.0:F0} MB of memory. Use fewer or smaller inputs, or a smaller checkpoint.", e);
        }
    }
}
