using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// Page-locked memory of the host through which a queue's bytes go, taken in order and given back in order. It grows only while nothing of
/// it is taken.
/// </summary>
internal sealed unsafe class PinnedRing(CudaContext context)
{
    private const int LeastBytes = 1 << 20;

    private byte* _start;
    private long _size, _taken, _released;

    /// <summary>Everything that was taken so far: what <see cref="ReleaseTo"/> gives back.</summary>
    public long Taken => _taken;

    /// <summary>True if that many bytes can be taken now.</summary>
    public bool Fits(long bytes) => Padding(bytes) + Rounded(bytes) <= _size - (_taken - _released);

    /// <summary>Takes bytes that lie side by side.</summary>
    public byte* Take(long bytes)
    {
        _taken += Padding(bytes);
        byte* place = _start + _taken % _size;
        _taken += Rounded(bytes);
        return place;
    }

    public void ReleaseTo(long taken) => _released = Math.Max(_released, taken);

    /// <summary>At least that many bytes. Nothing may be taken.</summary>
    public void Grow(long bytes)
    {
        long size = Math.Max(LeastBytes, 2 * Rounded(bytes));
        if (size <= _size) return;
        void* memory;
        context.Check(context.Driver.MemHostAlloc(&memory, (nuint)size, 0), "allocating page-locked memory");
        Free();
        _start = (byte*)memory;
        (_size, _taken, _released) = (size, 0, 0);
    }

    public void Free()
    {
        if (_start != null) context.Driver.MemFreeHost(_start);
        _start = null;
        _size = 0;
    }

    private static long Rounded(long bytes) => (bytes + 63) & ~63L;

    /// <summary>What is left out so that the bytes do not cross the end.</summary>
    private long Padding(long bytes)
    {
        if (_size == 0) return 0;
        long place = _taken % _size;
        return place + Rounded(bytes) <= _size ? 0 : _size - place;
    }
}
