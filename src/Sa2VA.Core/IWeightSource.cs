namespace Sa2VA.Core;

/// <summary>Name, element type and shape of a stored weight. Rank 0 is given as [1]; ranks above 4 are not used by the family.</summary>
public readonly record struct WeightInfo(string Name, DType Type, Shape Shape)
{
    /// <summary>Bytes as stored.</summary>
    public long Bytes => Shape.Count * Type.Size();
}

/// <summary>
/// Where weights come from: a checkpoint on disk, a formula, or tensors held in memory. A backend opens each weight once, packs it in its
/// own layout and closes it, so mapped pages need not stay resident.
/// </summary>
public interface IWeightSource
{
    /// <summary>True if the source has a tensor of that name.</summary>
    bool TryDescribe(string name, out WeightInfo info);

    /// <summary>
    /// The same for a tensor of which the shape that is needed is known. What is stored is told, whatever its shape; a source that lists
    /// what graphs ask for answers with <paramref name="needed"/>.
    /// </summary>
    bool TryDescribe(string name, Shape needed, out WeightInfo info) => TryDescribe(name, out info);

    /// <summary>Opens the stored bytes of one tensor; dispose to let go of them.</summary>
    /// <exception cref="CheckpointException">No tensor of that name, or it cannot be read.</exception>
    WeightData Open(string name);

    /// <summary>Opens the codes of a matrix that is stored quantised; null for one that is not.</summary>
    /// <exception cref="CheckpointException">It cannot be read.</exception>
    QuantizedData? OpenQuantized(string name) => null;
}

/// <summary>The bytes of one weight while it is open: row-major, little-endian, of <see cref="Info"/>'s type.</summary>
public abstract unsafe class WeightData(WeightInfo info) : IDisposable
{
    /// <summary>What is stored.</summary>
    public WeightInfo Info { get; } = info;

    /// <summary>
    /// True for values computed from stored ones that were looked at: where one is not finite, finite ones overflowed, and results tell.
    /// </summary>
    public virtual bool IsComputed => false;

    /// <summary>First byte. Valid until <see cref="Dispose"/>.</summary>
    public abstract byte* Pointer { get; }

    /// <inheritdoc/>
    public abstract void Dispose();
}
