namespace Sa2VA.Core;

/// <summary>
/// What plans share: packed weights, widened vectors, look-up tables and constants. Each is made when the first plan needs it and freed
/// with the last plan that uses it. The backend's lock guards it.
/// </summary>
internal sealed class WeightStore : IDisposable
{
    private readonly Dictionary<WeightKey, Entry> _entries = [];

    /// <summary>The content of a key for one more plan.</summary>
    /// <param name="key">What it is.</param>
    /// <param name="make">Makes it if no plan holds it yet.</param>
    public T Take<T>(WeightKey key, Func<T> make) where T : class, IDisposable
    {
        if (!_entries.TryGetValue(key, out Entry? entry))
            _entries.Add(key, entry = new Entry(make()));
        entry.Plans++;
        return (T)entry.Content;
    }

    /// <summary>A plan lets go of a key.</summary>
    public void Release(WeightKey key)
    {
        // After the store's own end there is nothing to release.
        if (!_entries.TryGetValue(key, out Entry? entry) || --entry.Plans > 0) return;
        _entries.Remove(key);
        entry.Content.Dispose();
    }

    public void Dispose()
    {
        foreach (Entry entry in _entries.Values) entry.Content.Dispose();
        _entries.Clear();
    }

    private sealed class Entry(IDisposable content)
    {
        public IDisposable Content { get; } = content;
        public int Plans { get; set; }
    }
}

/// <summary>How a weight or a constant lies in the backend's memory.</summary>
internal enum WeightLayout
{
    /// <summary>Packed for the GEMM: rows are outputs, the rest is flattened in stored order.</summary>
    RowMajor,
    /// <summary>Packed for the GEMM: the first half of the rows (gates) and the second (ups) take turns, 16 rows each.</summary>
    Paired,
    /// <summary>
    /// Packed for the GEMM: a convolution's [Co, Ci, k, k], read as [Co, k·k·Ci]: channels innermost, as the map has them.
    /// </summary>
    ChannelsLast,
    /// <summary>Packed for the GEMM: a transposed convolution's [Ci, Co, 2, 2], read as [4·Co, Ci] in the order (a, b, o).</summary>
    Transposed2x2,
    /// <summary>F32: a depthwise filter's [C, 1, k, k], read as [k·k, C].</summary>
    TapMajor,
    /// <summary>F32, in stored order.</summary>
    Vector,
    /// <summary>Rows are outputs, in codes of few bits in the order in which tensor cores take them.</summary>
    TensorCodes,
    /// <summary>Rows are outputs, in codes of few bits in stored order.</summary>
    RowCodes,
    /// <summary>Left where it is, in its stored type.</summary>
    Stored,
    /// <summary>F32: values that no source stores.</summary>
    Computed,
}

/// <summary>What a shared piece of memory holds. Two checkpoints on one backend do not mix, nor do two regroupings of one weight.</summary>
/// <param name="Layout">How.</param>
/// <param name="Source">Where stored values come from; null for values computed from nothing stored.</param>
/// <param name="Name">Stored name, or key of computed values.</param>
/// <param name="Shape">As the op sees it.</param>
/// <param name="Order">Rows picked.</param>
/// <param name="Type">How elements are stored.</param>
/// <param name="Bits">What they were quantised to; 16 where they were not.</param>
internal readonly record struct WeightKey(
    WeightLayout Layout, IWeightSource? Source, string Name, Shape Shape, RowOrder Order, DType Type = DType.F32, int Bits = 16)
{
    public WeightKey(WeightLayout layout, Weight weight, DType type = DType.F32, int bits = 16)
        : this(layout, weight.Source, weight.Name, weight.Shape, new RowOrder(OrderOf(weight)), type, bits) { }

    /// <summary>True where two inputs lie beside each other.</summary>
    public bool IsInPairs { get; init; }

    // Of stacked weights all are in another order, or none is.
    private static int[]? OrderOf(Weight weight) =>
        weight.Parts is [{ RowOrder: not null }, ..] ? [.. weight.Parts.SelectMany(p => p.RowOrder!)] : weight.RowOrder;
}

/// <summary>Row orders are compared by content: every plan records its own array.</summary>
internal readonly struct RowOrder(int[]? rows) : IEquatable<RowOrder>
{
    private readonly int[]? _rows = rows;

    public bool Equals(RowOrder other) =>
        _rows is null || other._rows is null ? _rows == other._rows : _rows.AsSpan().SequenceEqual(other._rows);

    public override bool Equals(object? obj) => obj is RowOrder other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (int row in _rows ?? []) hash.Add(row);
        return hash.ToHashCode();
    }
}
