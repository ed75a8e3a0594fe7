namespace Sa2VA.Core;

/// <summary>A stored weight as an op refers to it; the backend packs it in its own layout, once however many plans use it.</summary>
public sealed class Weight
{
    internal Weight(IWeightSource source, WeightInfo info, Shape shape, int[]? rowOrder)
    {
        (Source, Info, Shape, RowOrder) = (source, info, shape, rowOrder);
    }

    /// <summary>Where the bytes come from.</summary>
    public IWeightSource Source { get; }

    /// <summary>Stored name, type and shape.</summary>
    public WeightInfo Info { get; }

    /// <summary>Stored name.</summary>
    public string Name => Info.Name;

    /// <summary>The shape the op sees: the stored one with <see cref="RowOrder"/> applied.</summary>
    public Shape Shape { get; }

    /// <summary>
    /// When set, row i of this weight is stored row <c>RowOrder[i]</c>: how a fused projection is split or regrouped without copying it.
    /// </summary>
    public int[]? RowOrder { get; }

    /// <summary>The same stored weight with its rows (axis 0) picked and reordered.</summary>
    public Weight Reorder(int[] rows)
    {
        if (RowOrder is not null) throw new GraphException($"Weight '{Name}' is reordered already.");
        int[] dims = Shape.ToArray();
        foreach (int r in rows)
            if ((uint)r >= (uint)dims[0]) throw new GraphException($"Weight '{Name}' {Shape} has no row {r}.");
        dims[0] = rows.Length;
        return new Weight(Source, Info, new Shape(dims), rows);
    }

    /// <inheritdoc/>
    public override string ToString() => $"'{Name}' {Info.Type} {Shape}";
}
