using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// The segments of an attention in one run, and where their keys and values are: under each other or in pages, in any float type.
/// Kernels get pointers to rows of F32, so a result depends on none of that.
/// </summary>
internal sealed unsafe class SegmentRows
{
    private readonly string _name;
    private readonly Operand _kOperand, _vOperand;
    private readonly Operand? _lengthsOperand, _offsetsOperand, _pagesOperand;
    private readonly int _pageRows, _capacity;
    private readonly long _rowsEach, _keysEach;
    private readonly long[] _firstKeys;
    private RowView _k, _v;
    private int* _lengths, _offsets, _pages;
    private int _pagesPerSegment;
    private long _queries;

    public SegmentRows(Op op, AttentionSegments? segments, int groups, KernelContext context)
    {
        _name = op.Name;
        (_kOperand, _vOperand) = (context.Operand(op.Inputs[1]), context.Operand(op.Inputs[2]));
        _lengthsOperand = Optional(segments?.KeyLengths);
        _offsetsOperand = Optional(segments?.QueryOffsets);
        _pagesOperand = Optional(segments?.Pages);
        _pageRows = segments?.PageRows ?? 0;
        Count = groups;
        (_rowsEach, _keysEach) = (op.Inputs[0].Shape.Rows / groups, op.Inputs[1].Shape.Rows / groups);
        _capacity = segments?.Capacity(op.Inputs[1]) ?? 0;
        _firstKeys = [.. Enumerable.Range(0, Count).Select(s => s * _keysEach)];

        Operand? Optional(Tensor? tensor) => tensor is null ? null : context.Operand(tensor);
    }

    /// <summary>Segments; 1 where the op names none.</summary>
    public int Count { get; }

    /// <summary>Resolves and checks the run's numbers: nothing is written unless all are sound.</summary>
    public void Prepare(in RunContext run, long queries)
    {
        (_k, _v, _queries) = (_kOperand.Resolve(run), _vOperand.Resolve(run), queries);
        if (_lengthsOperand is not { } lengths) return;
        _lengths = lengths.Resolve(run).Ints;
        if (_offsetsOperand is { } offsets)
        {
            _offsets = offsets.Resolve(run).Ints;
            CheckOffsets();
        }
        long all = 0;
        for (int s = 0; s < Count; s++)
        {
            if (_lengths[s] < 0 || _lengths[s] > _capacity)
                throw new GraphException($"{_name}: {_lengths[s]} keys of segment {s} are outside 0…{_capacity}.");
            _firstKeys[s] = all;
            all += _lengths[s];
        }
        if (_pagesOperand is { } pages) CheckPages(pages.Resolve(run));
        else if (all > _k.Rows) throw new GraphException($"{_name}: the segments have {all} keys, of which there are {_k.Rows}.");
    }

    /// <summary>A segment's first query row.</summary>
    public long FirstQuery(int segment) => _offsets == null ? segment * _rowsEach : _offsets[segment];

    /// <summary>A segment's query rows.</summary>
    public long Queries(int segment) =>
        _offsets != null ? (long)_offsets[segment + 1] - _offsets[segment]
        : Count == 1 ? _queries
        : segment * _rowsEach < _queries ? _rowsEach : 0;

    /// <summary>A segment's keys.</summary>
    public long Keys(int segment) =>
        _lengths != null ? _lengths[segment]
        : Count == 1 ? _k.Rows
        : segment * _rowsEach < _queries ? _keysEach : 0;

    /// <summary>Pointers to columns [column, column + width) of a segment's keys [first, first + count).</summary>
    /// <param name="segment">Segment.</param>
    /// <param name="first">First key.</param>
    /// <param name="count">Keys.</param>
    /// <param name="column">First column.</param>
    /// <param name="width">Columns.</param>
    /// <param name="widened">[count, width] scratch for rows that are not F32.</param>
    /// <param name="rows">The pointers.</param>
    public void KeyRows(int segment, long first, int count, int column, int width, float* widened, float** rows) =>
        Rows(_k, segment, first, count, column, width, widened, rows);

    /// <inheritdoc cref="KeyRows"/>
    public void ValueRows(int segment, long first, int count, int column, int width, float* widened, float** rows) =>
        Rows(_v, segment, first, count, column, width, widened, rows);

    /// <summary>Pointers to a segment's keys where they are stored, from a column on.</summary>
    public void StoredKeys(int segment, long first, int count, int column, byte** rows) =>
        Stored(_k, segment, first, count, column, rows);

    /// <inheritdoc cref="StoredKeys"/>
    public void StoredValues(int segment, long first, int count, int column, byte** rows) =>
        Stored(_v, segment, first, count, column, rows);

    /// <summary>
    /// Shares work whose items are as heavy as their segment has keys: of the items that begin at <paramref name="at"/>, those that begin
    /// within [begin, end).
    /// </summary>
    public static (long First, long End) ItemsWithin(long begin, long end, long at, long items, long weight) =>
        (Math.Clamp((begin - at + weight - 1) / weight, 0, items), Math.Clamp((end - at + weight - 1) / weight, 0, items));

    /// <summary>Weight of a segment's items.</summary>
    public long Weight(int segment) => Keys(segment) + 1;

    private void Rows(in RowView view, int segment, long first, int count, int column, int width, float* widened, float** rows)
    {
        Stored(view, segment, first, count, column, (byte**)rows);
        if (view.Type == DType.F32) return;
        for (int j = 0; j < count; j++, widened += width)
        {
            Widen.Row((byte*)rows[j], view.Type, 0, new Span<float>(widened, width));
            rows[j] = widened;
        }
    }

    private void Stored(in RowView view, int segment, long first, int count, int column, byte** rows)
    {
        int size = view.Type.Size();
        long step = (long)view.RowStride * size;
        for (int j = 0; j < count;)
        {
            long key = first + j, row = _firstKeys[segment] + key;
            int run = count - j;
            if (_pages != null)
            {
                int within = (int)key & (_pageRows - 1);
                row = (long)_pages[(long)segment * _pagesPerSegment + (key >> BitOperations.Log2((uint)_pageRows))] * _pageRows + within;
                run = Math.Min(run, _pageRows - within);
            }
            byte* from = view.Pointer + row * step + (long)column * size;
            for (int end = j + run; j < end; j++, from += step) rows[j] = from;
        }
    }

    private void CheckOffsets()
    {
        long before = 0;
        for (int s = 0; s <= Count; s++)
        {
            int at = _offsets[s];
            if (s == 0 ? at != 0 : s == Count ? at != _queries || at < before : at < before)
                throw new GraphException(
                    $"{_name}: query offset {at} of segment {s} follows {before}; offsets rise from 0 to the {_queries} rows.");
            before = at;
        }
    }

    private void CheckPages(in RowView table)
    {
        _pages = table.Ints;
        _pagesPerSegment = table.Columns;
        long pool = _k.Rows / _pageRows;
        for (int s = 0; s < Count; s++)
            RowIndex.Check(_name, _pages + (long)s * _pagesPerSegment, (_lengths[s] + _pageRows - 1L) / _pageRows, 0, pool, "pages");
    }
}
