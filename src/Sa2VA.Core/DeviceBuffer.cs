using System.Runtime.CompilerServices;

namespace Sa2VA.Core;

/// <summary>Device memory with one owner. Its elements move through a <see cref="DeviceQueue"/>.</summary>
public abstract class DeviceBuffer(string name, DType type, Shape shape) : IDisposable
{
    /// <summary>Name for messages.</summary>
    public string Name { get; } = name;

    /// <summary>Element type.</summary>
    public DType Type { get; } = type;

    /// <summary>Extents, row-major.</summary>
    public Shape Shape { get; } = shape;

    /// <summary>Elements that are there: all of them, unless the memory was only reserved (<see cref="IBackend.Reserve"/>).</summary>
    public virtual long Committed => Shape.Count;

    /// <summary>Bytes held.</summary>
    public long Bytes => Committed * Type.Size();

    /// <summary>Makes at least the first elements of reserved memory be there, zeros where they are new; the address stays.</summary>
    /// <param name="elements">How many; at most the shape's.</param>
    /// <exception cref="DeviceMemoryException">The budget does not suffice.</exception>
    public virtual void Commit(long elements) => ArgumentOutOfRangeException.ThrowIfGreaterThan(elements, Committed);

    /// <summary>
    /// Gives reserved memory back, as far as the device can; the address stays. Contents are lost, and nothing that is enqueued may use it.
    /// </summary>
    public virtual void Trim() { }

    /// <summary>What a queue calls before it takes a transfer.</summary>
    /// <exception cref="ArgumentException">Elements of another size.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Elements that the buffer does not have.</exception>
    public void CheckRange<T>(long count, long offset) where T : unmanaged
    {
        if (Unsafe.SizeOf<T>() != Type.Size())
            throw new ArgumentException($"Buffer '{Name}' holds {Type}, not elements of {Unsafe.SizeOf<T>()} bytes.");
        CheckRange(count, offset);
    }

    /// <summary>The same for elements of the buffer's own type.</summary>
    public void CheckRange(long count, long offset)
    {
        if (count < 0 || offset < 0 || offset > Committed - count)
        {
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"Buffer '{Name}' {Shape} has no elements {offset}…{offset + count - 1}.");
        }
    }

    /// <inheritdoc/>
    public abstract void Dispose();
}
