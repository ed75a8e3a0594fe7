namespace Sa2VA.Core;

/// <summary>
/// A length that changes from run to run, bounded by the plan's capacity: tokens of a chunk, KV length, memory frames, object pointers.
/// Set through <see cref="BoundPlan.Set"/>.
/// </summary>
public sealed class RuntimeScalar
{
    internal RuntimeScalar(string name, int max, int index) => (Name, Max, Index) = (name, max, index);

    /// <summary>Name within its graph.</summary>
    public string Name { get; }

    /// <summary>Largest value a run may set; the smallest is 0.</summary>
    public int Max { get; }

    /// <summary>Position in <see cref="Graph.Scalars"/>.</summary>
    public int Index { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} (at most {Max})";
}
