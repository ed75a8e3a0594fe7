using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A bound tensor's memory on the CPU. What is enqueued holds it, so that disposing it meanwhile frees it only afterwards.
/// </summary>
internal sealed unsafe class CpuBuffer : DeviceBuffer
{
    private readonly AlignedMemory _memory;

    public CpuBuffer(MemoryAccount account, string name, DType type, Shape shape) : base(name, type, shape) =>
        _memory = new AlignedMemory(account, MemoryPurpose.Buffers, Bytes, $"buffer '{name}' {type} {shape}", zeroed: true);

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
