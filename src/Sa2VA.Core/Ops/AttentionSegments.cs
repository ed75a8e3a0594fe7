using System.Numerics;

namespace Sa2VA.Core;

/// <summary>
/// Which query rows of an attention belong together, and which keys they see: several chats or objects in one run. Rows of the segments
/// stand under each other; each segment's result is, bit for bit, what it is alone. A causal segment of n rows and m keys ends where its
/// keys end: row i sees keys j ≤ m − n + i. A row that sees no key gives 0. Numbers that do not fit are refused before a row is written.
/// </summary>
/// <param name="KeyLengths">I32 [S]: keys of each segment, 0 for one that is not used.</param>
/// <param name="QueryOffsets">
/// I32 [S + 1]: segment s has query rows offsets[s] … offsets[s + 1] − 1. The first is 0, the last the number of query rows. Null: the
/// query rows fall into S equal parts; where their number is a run-time length, the first segments have rows and the others none.
/// </param>
/// <param name="Pages">
/// I32 [S, n]: keys and values lie in pools of pages, and key j of segment s is row pages[s, ⌊j/r⌋]·r + j mod r, r being
/// <paramref name="PageRows"/>. Segments may share pages; entries behind a segment's last key are not read. Null: the keys of the segments
/// stand under each other, as the rows do.
/// </param>
/// <param name="PageRows">Rows of a page, a power of two; 0 without pages.</param>
public sealed record AttentionSegments(Tensor KeyLengths, Tensor? QueryOffsets = null, Tensor? Pages = null, int PageRows = 0)
{
    /// <summary>S.</summary>
    public int Count => KeyLengths.Shape[0];

    /// <summary>The tensors that are given.</summary>
    internal IEnumerable<Tensor> Tensors => new[] { KeyLengths, QueryOffsets, Pages }.OfType<Tensor>();

    /// <summary>The same with the tensors that stand behind q, k and v among an op's inputs.</summary>
    internal AttentionSegments Of(IReadOnlyList<Tensor> inputs) =>
        new(inputs[3], QueryOffsets is null ? null : inputs[4], Pages is null ? null : inputs[^1], PageRows);

    /// <summary>Most keys that a segment can have.</summary>
    /// <param name="keys">The attention's keys.</param>
    public int Capacity(Tensor keys) => Pages is null ? (int)keys.Shape.Rows : Pages.Shape[1] * PageRows;

    /// <summary>Keys that all segments can have together.</summary>
    internal long TotalCapacity(Tensor keys) => Pages is null ? keys.Shape.Rows : (long)Count * Capacity(keys);

    /// <summary>Whether a run's numbers can be looked at before it is enqueued.</summary>
    internal bool ChecksRuns => KeyLengths.Kind == TensorKind.List || QueryOffsets?.Kind == TensorKind.List;

    /// <summary>What <see cref="Op.CheckRun"/> says of it; where a list is on the device, the kernel looks.</summary>
    internal void CheckRun(string op, ReadOnlySpan<int> numbers, long queries, long keys)
    {
        if (QueryOffsets is not null)
        {
            ReadOnlySpan<int> offsets = QueryOffsets.ValuesIn(numbers);
            for (int s = 0; s < offsets.Length; s++)
            {
                int before = s == 0 ? 0 : offsets[s - 1];
                if (offsets[s] < before || (s == 0 && offsets[0] != 0) || (s == Count && offsets[s] != queries))
                    throw new GraphException(
                        $"{op}: query offset {offsets[s]} of segment {s} follows {before}; offsets rise from 0 to the {queries} rows.");
            }
        }
        long all = 0;
        foreach (int length in KeyLengths.ValuesIn(numbers)) all += length;
        if (Pages is null && all > keys) throw new GraphException($"{op}: the segments have {all} keys, of which there are {keys}.");
    }

    internal void Check(GraphBuilder g, string op, Tensor q, Tensor k)
    {
        if (!IsList(KeyLengths)) throw g.Error(op, $"key lengths {KeyLengths} are no list of integers.");
        bool fit = QueryOffsets is null ? q.Shape.Rows % Count == 0
            : IsList(QueryOffsets) && QueryOffsets.Shape[0] == Count + 1 && (q.Length is null || q.RowsPerStep == 1);
        if (!fit) throw g.Error(op, $"{Count} segments with query offsets {QueryOffsets} do not fit the rows of {q}.");
        fit = Pages is null ? PageRows == 0
            : Pages.Type == DType.I32 && Pages.Shape.Rank == 2 && Pages.Shape[0] == Count && Pages.Length is null && Pages.IsContiguous
                && BitOperations.IsPow2(PageRows) && (long)Pages.Shape[1] * PageRows <= int.MaxValue
                && k.Length is null && k.Shape.Rows % PageRows == 0 && Pages.IsWithin(0, k.Shape.Rows / PageRows);
        if (!fit) throw g.Error(op, $"{Count} segments with pages {Pages} of {PageRows} rows do not fit the keys {k}.");
        if (!KeyLengths.IsWithin(0, (long)Capacity(k) + 1))
            throw g.Error(op, $"key lengths {KeyLengths} may exceed the {Capacity(k)} keys that a segment can have.");
    }

    private static bool IsList(Tensor t) => t.Type == DType.I32 && t.Shape.Rank == 1 && t.Length is null;
}
