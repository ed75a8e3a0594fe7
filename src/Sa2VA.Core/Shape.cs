using System.Runtime.CompilerServices;

namespace Sa2VA.Core;

/// <summary>Up to five extents, row-major, the last one contiguous. Feature maps are [height, width, channels].</summary>
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>Most extents a shape can have.</summary>
    public const int MaxRank = 5;

    private readonly int _d0, _d1, _d2, _d3, _d4;

    /// <summary>Creates a shape from 1 to 5 positive extents.</summary>
    /// <exception cref="GraphException">No or too many extents, an extent below 1, or more than 2^40 elements.</exception>
    public Shape(params ReadOnlySpan<int> dims)
    {
        if (dims.Length is 0 or > MaxRank) throw new GraphException($"A shape has 1 to {MaxRank} extents, not {dims.Length}.");
        long count = 1;
        foreach (int d in dims)
        {
            if (d < 1) throw new GraphException($"A shape's extents are at least 1: [{string.Join(", ", dims.ToArray())}].");
            count *= d;
            if (count > 1L << 40) throw new GraphException($"A shape holds at most 2^40 elements: [{string.Join(", ", dims.ToArray())}].");
        }
        Rank = dims.Length;
        _d0 = dims[0];
        _d1 = dims.Length > 1 ? dims[1] : 1;
        _d2 = dims.Length > 2 ? dims[2] : 1;
        _d3 = dims.Length > 3 ? dims[3] : 1;
        _d4 = dims.Length > 4 ? dims[4] : 1;
        Count = count;
    }

    /// <summary>Number of extents.</summary>
    public int Rank { get; }

    /// <summary>Product of the extents.</summary>
    public long Count { get; }

    /// <summary>Extent <paramref name="axis"/>; negative axes count from the end.</summary>
    public int this[int axis]
    {
        get
        {
            if (axis < 0) axis += Rank;
            if ((uint)axis >= (uint)Rank) throw new GraphException($"Axis {axis} of shape {this} does not exist.");
            return axis switch { 0 => _d0, 1 => _d1, 2 => _d2, 3 => _d3, _ => _d4 };
        }
    }

    /// <summary>The last extent: channels.</summary>
    public int Last => this[-1];

    /// <summary>Product of all extents but the last: rows.</summary>
    public long Rows => Count / Last;

    /// <summary>The same shape with another last extent.</summary>
    public Shape WithLast(int last)
    {
        int[] d = ToArray();
        d[^1] = last;
        return new Shape(d);
    }

    /// <summary>The extents as a new array.</summary>
    public int[] ToArray()
    {
        int[] d = new int[Rank];
        for (int i = 0; i < Rank; i++) d[i] = this[i];
        return d;
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) =>
        Rank == other.Rank && _d0 == other._d0 && _d1 == other._d1 && _d2 == other._d2 && _d3 == other._d3
        && _d4 == other._d4;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, _d0, _d1, _d2, _d3, _d4);

    /// <summary>Same extents.</summary>
    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    /// <summary>Different extents.</summary>
    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);

    /// <inheritdoc/>
    public override string ToString() => "[" + string.Join(", ", ToArray()) + "]";
}
