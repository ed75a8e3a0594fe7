using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>A bound tensor's memory on the CPU.</summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly CpuBackend _owner;
    private readonly AlignedMemory _memory;
    private bool _disposed;

    public CpuBuffer(CpuBackend owner, string name, DType type, Shape shape) : base(name, type, shape)
    {
        _owner = owner;
        _memory = new AlignedMemory(Bytes, zeroed: true);
    }

    public byte* Pointer => _memory.Pointer;

    public override void Write<T>(ReadOnlySpan<T> source, long offset = 0)
    {
        CheckRange<T>(source.Length, offset);
        source.CopyTo(new Span<T>(Pointer + offset * Type.Size(), source.Length));
    }

    public override void Read<T>(Span<T> destination, long offset = 0)
    {
        CheckRange<T>(destination.Length, offset);
        new ReadOnlySpan<T>(Pointer + offset * Type.Size(), destination.Length).CopyTo(destination);
    }

    public override void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        _memory.Dispose();
        _owner.Release(Bytes);
    }

    private void CheckRange<T>(int count, long offset)
    {
        if (Unsafe.SizeOf<T>() != Type.Size())
            throw new ArgumentException($"Buffer '{Name}' holds {Type}, not elements of {Unsafe.SizeOf<T>()} bytes.");
        if (offset < 0 || offset > Shape.Count - count)
            throw new ArgumentOutOfRangeException(nameof(offset), $"Buffer '{Name}' {Shape} has no elements {offset}…{offset + count - 1}.");
    }
}
