namespace Sa2VA.Core;

/// <summary>Device memory with one owner.</summary>
public abstract class DeviceBuffer(string name, DType type, Shape shape) : IDisposable
{
    /// <summary>Name for messages.</summary>
    public string Name { get; } = name;

    /// <summary>Element type.</summary>
    public DType Type { get; } = type;

    /// <summary>Extents, row-major.</summary>
    public Shape Shape { get; } = shape;

    /// <summary>Bytes held.</summary>
    public long Bytes => Shape.Count * Type.Size();

    /// <summary>Copies elements in; <typeparamref name="T"/> must have the element's size.</summary>
    /// <param name="source">Elements.</param>
    /// <param name="offset">First element to overwrite.</param>
    public abstract void Write<T>(ReadOnlySpan<T> source, long offset = 0) where T : unmanaged;

    /// <summary>Copies elements out; <typeparamref name="T"/> must have the element's size.</summary>
    /// <param name="destination">Filled completely.</param>
    /// <param name="offset">First element to read.</param>
    public abstract void Read<T>(Span<T> destination, long offset = 0) where T : unmanaged;

    /// <inheritdoc/>
    public abstract void Dispose();
}
