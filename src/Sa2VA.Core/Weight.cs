namespace Sa2VA.Core;

/// <summary>A stored weight as an op refers to it; the backend packs it in its own layout, once however many plans use it.</summary>
public sealed class Weight
{
    internal Weight(IWeightSource source, WeightInfo info, Shape shape, int[]? rowOrder)
    {
        (Source, Info, Shape, RowOrder) = (source, info, shape, rowOrder);
    }

    private Weight(Weight[] parts, WeightInfo info) : this(parts[0].Source, info, info.Shape, null)
    {
        Parts = parts;
        LeastBits = parts.Max(p => p.LeastBits);
    }

    /// <summary>Where the bytes come from.</summary>
    public IWeightSource Source { get; }

    /// <summary>Stored name, type and shape; of <see cref="Parts"/> their names, type and shape together.</summary>
    public WeightInfo Info { get; }

    /// <summary>Stored name.</summary>
    public string Name => Info.Name;

    /// <summary>The shape the op sees: the stored one with <see cref="RowOrder"/> applied.</summary>
    public Shape Shape { get; }

    /// <summary>
    /// When set, row i of this weight is stored row <c>RowOrder[i]</c>: how a fused projection is split or regrouped without copying it.
    /// </summary>
    public int[]? RowOrder { get; }

    /// <summary>
    /// Fewest bits that a backend whose precision has so few may store it in, where it is a matrix that a linear layer multiplies
    /// (<see cref="GraphBuilder.AllowWeightBits"/>); 16 for what is not quantised.
    /// </summary>
    public int LeastBits { get; internal init; } = 16;

    /// <summary>The stored weights whose rows lie under each other in this one; empty for a weight that is stored itself.</summary>
    public IReadOnlyList<Weight> Parts { get; } = [];

    /// <summary>
    /// The rows of several weights under each other, as one weight; null where that cannot be: they differ in type or width, or only some
    /// rows of several stored ones are asked for.
    /// </summary>
    internal static Weight? Stack(Weight[] parts)
    {
        Weight first = parts[0];
        int rows = parts.Sum(p => p.Shape[0]);
        long width = first.Shape.Count / first.Shape[0];
        if (parts.All(p => p.Source == first.Source && p.Name == first.Name && p.RowOrder is not null))
        {
            int[] dims = first.Shape.ToArray();
            dims[0] = rows;
            return new Weight(first.Source, first.Info, new Shape(dims), [.. parts.SelectMany(p => p.RowOrder!)])
            {
                LeastBits = parts.Max(p => p.LeastBits),
            };
        }
        if (parts.Any(p => p.Source != first.Source || p.Info.Type != first.Info.Type || p.Shape.Count / p.Shape[0] != width
            || p.RowOrder is not null || p.Parts.Count > 0)) return null;
        Shape shape = first.Shape.Rank == 1 ? new Shape(rows) : new Shape(rows, checked((int)width));
        return new Weight(parts, new WeightInfo(string.Join(" + ", parts.Select(p => p.Name)), first.Info.Type, shape));
    }

    /// <summary>The same stored weight with its rows (axis 0) picked and reordered.</summary>
    public Weight Reorder(int[] rows)
    {
        if (RowOrder is not null) throw new GraphException($"Weight '{Name}' is reordered already.");
        int[] dims = Shape.ToArray();
        foreach (int r in rows)
            if ((uint)r >= (uint)dims[0]) throw new GraphException($"Weight '{Name}' {Shape} has no row {r}.");
        dims[0] = rows.Length;
        return new Weight(Source, Info, new Shape(dims), rows) { LeastBits = LeastBits };
    }

    /// <summary>
    /// The same rows in another order, also of a weight that is regrouped or stacked already; in the latter, rows stay among those of their
    /// own stored weight.
    /// </summary>
    /// <param name="rows">Row i of the result is row <c>rows[i]</c> of this one.</param>
    internal Weight Permute(int[] rows)
    {
        if (Parts.Count == 0)
        {
            if (!rows.Order().SequenceEqual(Enumerable.Range(0, Shape[0])))
                throw new GraphException($"Weight '{Name}' {Shape} cannot be put in an order that is none of its {Shape[0]} rows.");
            return new Weight(Source, Info, Shape, RowOrder is null ? rows : [.. rows.Select(r => RowOrder[r])]) { LeastBits = LeastBits };
        }
        var parts = new Weight[Parts.Count];
        int first = 0;
        for (int i = 0; i < parts.Length; first += Parts[i++].Shape[0])
            parts[i] = Parts[i].Permute([.. rows.Skip(first).Take(Parts[i].Shape[0]).Select(r => r - first)]);
        return new Weight(parts, Info);
    }

    /// <summary>All stored elements, row-major, widened to F32: for what is computed from weights.</summary>
    /// <exception cref="CheckpointException">They cannot be read, or one is not finite.</exception>
    public unsafe float[] ReadValues()
    {
        var values = new float[Info.Shape.Count];
        using WeightData data = Source.Open(Name);
        Finite.Check(data);
        switch (Info.Type)
        {
            case DType.F32:
                new ReadOnlySpan<float>(data.Pointer, values.Length).CopyTo(values);
                break;
            case DType.F16:
                var halves = new ReadOnlySpan<Half>(data.Pointer, values.Length);
                for (int i = 0; i < values.Length; i++) values[i] = (float)halves[i];
                break;
            default:
                var upper = new ReadOnlySpan<BFloat16>(data.Pointer, values.Length);
                for (int i = 0; i < values.Length; i++) values[i] = upper[i].ToSingle();
                break;
        }
        return values;
    }

    /// <inheritdoc/>
    public override string ToString() => $"'{Name}' {Info.Type} {Shape}";
}
