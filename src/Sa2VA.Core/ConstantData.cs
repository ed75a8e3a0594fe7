namespace Sa2VA.Core;

/// <summary>Writes a computed constant's values, row-major, into a backend's memory.</summary>
/// <param name="values">All elements; contents are undefined before.</param>
public delegate void ConstantFill(Span<float> values);

/// <summary>
/// What a constant tensor holds: a stored weight widened to F32, or values that a function of known parameters gives. No value is held
/// here: a backend has them written when the first plan that uses the constant is compiled, keeps them once for all plans, and frees them
/// with the last.
/// </summary>
public sealed class ConstantData
{
    internal ConstantData(Weight weight) => Weight = weight;

    internal ConstantData(string key, IWeightSource? source, ConstantFill fill) => (Key, Source, Fill) = (key, source, fill);

    /// <summary>The stored weight, or null when the values are computed.</summary>
    public Weight? Weight { get; }

    /// <summary>
    /// The function, its parameters and the names of the weights it reads. Equal keys, sources and shapes are equal values.
    /// </summary>
    public string? Key { get; }

    /// <summary>Where those weights come from; null when there are none.</summary>
    public IWeightSource? Source { get; }

    /// <summary>Writes the computed values.</summary>
    public ConstantFill? Fill { get; }
}
