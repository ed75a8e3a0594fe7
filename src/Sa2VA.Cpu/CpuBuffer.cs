using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A bound tensor's memory on the CPU. A run and a copy hold it, so that disposing it meanwhile frees it only afterwards.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly AlignedMemory _memory;

    public CpuBuffer(MemoryAccount account, string name, DType type, Shape shape) : base(name, type, shape) =>
        _memory = new AlignedMemory(account, MemoryPurpose.Buffers, Bytes, $"buffer '{name}' {type} {shape}", zeroed: true);

    public byte* Pointer => _memory.Pointer;

    /// <summary>Keeps the memory until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">It is gone already.</exception>
    public void Hold()
    {
        ObjectDisposedException.ThrowIf(_memory.IsClosed, this);
        bool held = false;
        _memory.DangerousAddRef(ref held);
    }

    public void Release() => _memory.DangerousRelease();

    public override void Write<T>(ReadOnlySpan<T> source, long offset = 0)
    {
        CheckRange<T>(source.Length, offset);
        Hold();
        // Not by Pointer, which refuses memory that is disposed but held.
        if (!_memory.CountsOnly) source.CopyTo(new Span<T>((byte*)_memory.DangerousGetHandle() + offset * Type.Size(), source.Length));
        Release();
    }

    public override void Read<T>(Span<T> destination, long offset = 0)
    {
        CheckRange<T>(destination.Length, offset);
        Hold();
        if (_memory.CountsOnly) destination.Clear();
        else new ReadOnlySpan<T>((byte*)_memory.DangerousGetHandle() + offset * Type.Size(), destination.Length).CopyTo(destination);
        Release();
    }

    public override void Dispose() => _memory.Dispose();

    private void CheckRange<T>(int count, long offset)
    {
        if (Unsafe.SizeOf<T>() != Type.Size())
            throw new ArgumentException($"Buffer '{Name}' holds {Type}, not elements of {Unsafe.SizeOf<T>()} bytes.");
        if (offset < 0 || offset > Shape.Count - count)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"Buffer '{Name}' {Shape} has no elements {offset}…{offset + count - 1}.");
    }
}
