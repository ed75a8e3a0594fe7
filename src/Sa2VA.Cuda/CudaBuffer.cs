using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>A bound tensor's memory on the GPU. Disposing it frees the memory behind what is enqueued.</summary>
internal sealed class CudaBuffer : DeviceBuffer
{
    private readonly CudaMemory _memory;
    private readonly bool _isReserved;
    private long _committed;
    private int _isDisposed;

    public CudaBuffer(CudaBackend backend, string name, DType type, Shape shape, bool isReserved = false) : base(name, type, shape)
    {
        Backend = backend;
        long bytes = checked(shape.Count * type.Size());
        _isReserved = isReserved;
        _memory = isReserved
            ? CudaMemory.Reserve(backend, MemoryPurpose.Buffers, bytes, What)
            : CudaMemory.Allocate(backend, MemoryPurpose.Buffers, bytes, What);
        _committed = isReserved ? 0 : shape.Count;
        if (!isReserved) backend.Clear(_memory.Address, bytes);
    }

    public CudaBackend Backend { get; }

    public override long Committed => Volatile.Read(ref _committed);

    /// <summary>Address of the first element.</summary>
    /// <exception cref="ObjectDisposedException">It is gone already.</exception>
    public ulong Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsDisposed, this);
            return _memory.Address;
        }
    }

    public bool IsDisposed => Volatile.Read(ref _isDisposed) == 1;

    private string What => $"buffer '{Name}' {Type} {Shape}";

    public override void Commit(long elements)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(elements, Shape.Count);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (elements <= Committed) return;
        long before = Committed * Type.Size(), bytes = elements * Type.Size();
        _memory.Commit(bytes, What);
        Backend.Clear(_memory.Address + (ulong)before, bytes - before);
        Volatile.Write(ref _committed, elements);
    }

    public override void Trim()
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (!_isReserved) return;
        _memory.Trim();
        Volatile.Write(ref _committed, 0);
    }

    public override void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0) Backend.Retire(_memory.Free);
    }
}
