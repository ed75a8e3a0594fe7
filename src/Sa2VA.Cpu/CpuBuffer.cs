using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A bound tensor's memory on the CPU. What is enqueued holds it, so that disposing it meanwhile frees it only afterwards.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly AlignedMemory _memory;

    private long _committed;

    public CpuBuffer(MemoryAccount account, string name, DType type, Shape shape, bool isReserved = false) : base(name, type, shape)
    {
        long bytes = shape.Count * type.Size();
        _memory = isReserved
            ? AlignedMemory.Reserve(account, MemoryPurpose.Buffers, bytes)
            : new AlignedMemory(account, MemoryPurpose.Buffers, bytes, What, zeroed: true);
        _committed = isReserved ? 0 : shape.Count;
    }

    public override long Committed => Volatile.Read(ref _committed);

    public override void Trim()
    {
        if (_memory.TryTrim()) Volatile.Write(ref _committed, 0);
    }

    private string What => $"buffer '{Name}' {Type} {Shape}";

    public override void Commit(long elements)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elements, Shape.Count);
        if (elements <= Committed) return;
        _memory.Commit(elements * Type.Size(), What);
        Volatile.Write(ref _committed, elements);
    }

    /// <summary>Keeps the memory until <see cref="Release"/>.</summary>
    /// <exception cref="ObjectDisposedException">It is gone already.</exception>
    public void Hold()
    {
        ObjectDisposedException.ThrowIf(_memory.IsClosed, this);
        bool held = false;
        _memory.DangerousAddRef(ref held);
    }

    public void Release() => _memory.DangerousRelease();

    /// <summary>The first byte, while it is held: also of memory that has been disposed meanwhile.</summary>
    public byte* HeldPointer => (byte*)_memory.DangerousGetHandle();

    /// <summary>True in a backend that only counts: the pointer must not be followed.</summary>
    public bool CountsOnly => _memory.CountsOnly;

    /// <summary>Copies bytes in, while it is held.</summary>
    public void Fill(ReadOnlySpan<byte> source, long offset) => source.CopyTo(new Span<byte>(HeldPointer + offset, source.Length));

    /// <summary>Copies bytes out, while it is held.</summary>
    public void Fetch(Span<byte> destination, long offset) =>
        new ReadOnlySpan<byte>(HeldPointer + offset, destination.Length).CopyTo(destination);

    public override void Dispose() => _memory.Dispose();
}
