namespace Sa2VA.Core;

/// <summary>
/// One tensor's rows after another's, each with its run-time length. With segments, so for each of them: the first segment's rows of every
/// part, then the second one's. The segments of a part are equal, or as long as lists say.
/// </summary>
public sealed class Concat : Op
{
    private readonly int _parts;

    internal Concat(ReadOnlySpan<Tensor> parts, int segments, ReadOnlySpan<Tensor> lengths)
    {
        Inputs = [.. parts, .. lengths];
        (_parts, Segments) = (parts.Length, segments);
    }

    /// <summary>What is put together.</summary>
    public IEnumerable<Tensor> Parts => Inputs.Take(_parts);

    /// <summary>Rows of each segment, I32 [S] for each part; empty where segments are equal.</summary>
    public IEnumerable<Tensor> Lengths => Inputs.Skip(_parts);

    /// <summary>S.</summary>
    public int Segments { get; }

    internal override bool ChecksRuns => Output.Length is not null || Lengths.Any(l => l.Kind == TensorKind.List);

    internal override void CheckRun(ReadOnlySpan<int> numbers)
    {
        long rows = 0, used = -1;
        bool listed = Inputs.Count > _parts;
        for (int i = 0; i < _parts; i++)
        {
            long own = RowCount(Inputs[i], numbers), each = Inputs[i].Shape.Rows / Segments;
            rows += own;
            if (listed) CheckLengths(i, own, Inputs[_parts + i].ValuesIn(numbers));
            if (Segments == 1 || listed) continue;
            if (own % each != 0 || used >= 0 && used != own / each)
                throw new GraphException($"{Name}: {own} rows of {Inputs[i]} are not as many segments as the other parts have.");
            used = own / each;
        }
        if (rows != RowCount(Output, numbers))
            throw new GraphException($"{Name}: the parts have {rows} rows, the result's run-time length is {RowCount(Output, numbers)}.");
    }

    /// <summary>Refuses lengths that do not fit a part. A kernel looks too, since a list may be on the device.</summary>
    /// <param name="part">Which part.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="lengths">How many of them each segment has.</param>
    /// <exception cref="GraphException">They are below 0, or not all of the rows.</exception>
    public void CheckLengths(int part, long rows, ReadOnlySpan<int> lengths)
    {
        if (lengths.IsEmpty) return;
        long sum = 0;
        foreach (int length in lengths)
        {
            if (length < 0) throw new GraphException($"{Name}: a segment has {length} rows of part {part}.");
            sum += length;
        }
        if (sum != rows) throw new GraphException($"{Name}: the segments have {sum} rows of part {part}, which has {rows}.");
    }
}

/// <summary>Recording of <see cref="Core.Concat"/>.</summary>
public static class ConcatExtensions
{
    /// <summary>
    /// Records the parts one under the other; <paramref name="length"/> is their run-time sum when any part's length is one.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="parts">[.., C].</param>
    /// <param name="length">Rows of the result.</param>
    /// <param name="segments">Equal segments of each part; where parts have run-time lengths, only the first ones may be used.</param>
    public static Tensor Concat(this GraphBuilder g, ReadOnlySpan<Tensor> parts, RuntimeScalar? length = null, int segments = 1) =>
        Record(g, parts, [], length, segments);

    /// <summary>
    /// Records the parts of segments whose lengths differ: segment 0's rows of every part, then segment 1's. Lengths that do not fit the
    /// parts are refused before a row is written.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="parts">[.., C].</param>
    /// <param name="lengths">For each part, rows of each segment, I32 [S].</param>
    /// <param name="length">Rows of the result.</param>
    public static Tensor Concat(this GraphBuilder g, ReadOnlySpan<Tensor> parts, ReadOnlySpan<Tensor> lengths, RuntimeScalar? length = null)
    {
        bool fit = lengths.Length == parts.Length && parts.Length > 0;
        foreach (Tensor list in lengths)
            fit &= list.Type == DType.I32 && list.Shape.Rank == 1 && list.Length is null && list.Shape == lengths[0].Shape;
        if (!fit) throw g.Error(nameof(Concat), "no list of segments for each part.");
        return Record(g, parts, lengths, length, lengths[0].Shape[0]);
    }

    private static Tensor Record(GraphBuilder g, ReadOnlySpan<Tensor> parts, ReadOnlySpan<Tensor> lengths, RuntimeScalar? length,
        int segments)
    {
        if (parts.Length == 0) throw g.Error(nameof(Concat), "no parts.");
        long count = 0;
        bool grows = false;
        foreach (Tensor p in parts)
        {
            if (p.Shape.Last != parts[0].Shape.Last || p.Type != parts[0].Type)
                throw g.Error(nameof(Concat), $"parts {parts[0]} and {p} do not fit.");
            if (lengths.Length == 0 && (segments < 1 || p.Shape.Rows % segments != 0))
                throw g.Error(nameof(Concat), $"part {p} does not fall into {segments} segments.");
            count += p.Shape.Rows;
            grows |= p.Length is not null;
        }
        if (grows != length is not null) throw g.Error(nameof(Concat), "a run-time length is needed exactly when a part has one.");
        return g.Record(new Concat(parts, segments, lengths), parts[0].Type, new Shape(checked((int)count), parts[0].Shape.Last), length);
    }
}
