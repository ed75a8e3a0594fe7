namespace Sa2VA.Core;

/// <summary>
/// A length that changes from run to run, bounded by the plan's capacity: tokens of a chunk, KV length, memory frames, object pointers. Set
/// through <see cref="BoundPlan.Set(RuntimeScalar, int)"/>, unless it follows from others.
/// </summary>
public sealed class RuntimeScalar
{
    internal RuntimeScalar(string name, int max, int index, int plus = 0, ScalarTerm[]? terms = null) =>
        (Name, Max, Index, Plus, Terms) = (name, max, index, plus, terms ?? []);

    /// <summary>Name within its graph.</summary>
    public string Name { get; }

    /// <summary>Largest value a run may set; the smallest is 0.</summary>
    public int Max { get; }

    /// <summary>Position in <see cref="Graph.Scalars"/>.</summary>
    public int Index { get; }

    /// <summary>True when it is a sum of others, which are set.</summary>
    public bool IsDerived => Terms.Length > 0;

    /// <summary>What it is a sum of, besides the <see cref="Terms"/>.</summary>
    internal int Plus { get; }

    /// <summary>What it is a sum of; empty for one that is set.</summary>
    internal ScalarTerm[] Terms { get; }

    /// <summary>Its value by those of the others; −1 where one of them is not set.</summary>
    internal int Value(ReadOnlySpan<int> scalars)
    {
        long sum = Plus;
        foreach (ScalarTerm term in Terms)
        {
            int value = scalars[term.Scalar.Index];
            if (value < 0) return -1;
            sum += (long)term.Factor * value;
        }
        return (int)Math.Min(sum, int.MaxValue);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} (at most {Max})";
}

/// <summary>A multiple of a run-time scalar.</summary>
/// <param name="Scalar">The scalar.</param>
/// <param name="Factor">How often, at least 1.</param>
public readonly record struct ScalarTerm(RuntimeScalar Scalar, int Factor)
{
    /// <summary>A scalar once.</summary>
    public static implicit operator ScalarTerm(RuntimeScalar scalar) => new(scalar, 1);
}
