using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>How keys and values are kept: in a pool of pages that all sequences share.</summary>
/// <param name="Capacity">Most tokens of a sequence, 1 or more.</param>
/// <param name="Pages">Pages of the pool, each of <see cref="PageRows"/> tokens.</param>
/// <param name="Type">Type that keys, values and rows of image tokens are stored in.</param>
internal readonly record struct KvLayout(int Capacity, int Pages, DType Type = DType.F32)
{
    /// <summary>Tokens of a page: few enough that a chat wastes little, enough that a page is worth naming.</summary>
    public const int PageRows = 16;

    /// <summary>Pages that one sequence may have.</summary>
    public int PagesPerSequence => PagesFor(Capacity);

    /// <summary>Pages that hold a number of tokens.</summary>
    public static int PagesFor(int tokens) => (tokens + PageRows - 1) / PageRows;

    /// <summary>The layout of one sequence by itself: its pages stand in order.</summary>
    public static KvLayout Alone(int capacity, DType type = DType.F32) => new(capacity, PagesFor(capacity), type);
}

/// <summary>
/// Where the rows of a run stand in their sequences, and where their keys and values go and are read from. All of it travels with the run.
/// </summary>
internal sealed class SequenceRows
{
    /// <param name="g">Graph.</param>
    /// <param name="kv">Where keys and values are.</param>
    /// <param name="rows">Most rows of a run.</param>
    /// <param name="sequences">Sequences: one with any number of rows, or several with a row each.</param>
    /// <param name="count">Rows of a run; null when there are always <paramref name="rows"/>.</param>
    public SequenceRows(GraphBuilder g, KvLayout kv, int rows, int sequences, RuntimeScalar? count = null)
    {
        Kv = kv;
        Count = count;
        Positions = g.List("positions", new Shape(rows), new IndexRange(-1, kv.Capacity), count);
        Rows = g.List("cache rows", new Shape(rows), new IndexRange(-1, kv.Pages * KvLayout.PageRows), count);
        Tensor lengths = g.List("key lengths", new Shape(sequences), new IndexRange(0, kv.Capacity + 1));
        Tensor? offsets = count is null && rows == sequences ? null
            : g.List("query offsets", new Shape(sequences + 1), new IndexRange(0, rows + 1));
        Tensor pages = g.List("pages", new Shape(sequences, kv.PagesPerSequence), new IndexRange(0, kv.Pages));
        Segments = new AttentionSegments(lengths, offsets, pages, KvLayout.PageRows);
    }

    /// <summary>
    /// Declares where image tokens stand in their picture, for models whose positions have three axes or whose first layers add rows of
    /// the vision tower; nothing for others.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="config">The language model.</param>
    /// <param name="imageRows">Rows of the image tokens.</param>
    public void DeclarePictures(GraphBuilder g, LanguageConfig config, int imageRows)
    {
        if (config.Rotary is not null) Axes = new AxisPositions(List("picture rows", Kv.Capacity), List("picture columns", Kv.Capacity));
        if (config.DeepstackLayers > 0) ImageRows = List("image rows", imageRows);

        Tensor List(string name, int end) => g.List(name, Rows.Shape, new IndexRange(-1, end), Count);
    }

    /// <summary>The pool.</summary>
    public KvLayout Kv { get; }

    /// <summary>Rows of a run, or null.</summary>
    public RuntimeScalar? Count { get; }

    /// <summary>
    /// Rotary position of each row, I32 [rows]; −1 for a row that nobody uses. Where there are <see cref="Axes"/>, of the time axis.
    /// </summary>
    public Tensor Positions { get; }

    /// <summary>Rotary positions of the two other axes, or null.</summary>
    public AxisPositions? Axes { get; private set; }

    /// <summary>The image row that each row stands for, I32 [rows], −1 for a row of text; null where nobody asks.</summary>
    public Tensor? ImageRows { get; private set; }

    /// <summary>The pool's row for each row's keys and values, I32 [rows]; −1 for a row that nobody uses.</summary>
    public Tensor Rows { get; }

    /// <summary>What each sequence attends to.</summary>
    public AttentionSegments Segments { get; }
}

/// <summary>Rotary positions of picture rows and columns, I32 [rows] each.</summary>
internal sealed record AxisPositions(Tensor Rows, Tensor Columns);

/// <summary>Sets the <see cref="SequenceRows"/> of runs, sequence after sequence. Allocates nothing.</summary>
/// <param name="rows">Of the plan's graph.</param>
/// <param name="plan">Whose next runs it is about.</param>
internal sealed class SequencePlacement(SequenceRows rows, BoundPlan plan)
{
    private readonly int[] _positions = new int[rows.Positions.Shape[0]], _rows = new int[rows.Rows.Shape[0]];
    private readonly int[] _lengths = new int[rows.Segments.Count], _offsets = new int[rows.Segments.Count + 1];
    private readonly int[] _imageRows = new int[rows.ImageRows?.Shape[0] ?? 0];
    private int _count, _sequences;

    /// <summary>Forgets what was placed.</summary>
    public SequencePlacement Begin()
    {
        (_count, _sequences) = (0, 0);
        return this;
    }

    /// <summary>Places new rows of one sequence behind those that it has.</summary>
    /// <param name="pages">The sequence's pages in order, with room for the new rows.</param>
    /// <param name="start">Rows that it has.</param>
    /// <param name="count">New rows, at least 1.</param>
    /// <param name="shift">What is added to a row's place to make its rotary position; below 0 behind pictures.</param>
    public SequencePlacement Add(ReadOnlySpan<int> pages, int start, int count, int shift = 0)
    {
        for (int i = 0; i < count; i++)
        {
            int place = start + i;
            _positions[_count + i] = place + shift;
            _rows[_count + i] = pages[place / KvLayout.PageRows] * KvLayout.PageRows + place % KvLayout.PageRows;
        }
        _count += count;
        _lengths[_sequences] = start + count;
        plan.SetRow(rows.Segments.Pages!, _sequences, pages[..KvLayout.PagesFor(start + count)]);
        _offsets[++_sequences] = _count;
        return this;
    }

    /// <summary>Places a chunk of one prompt, the only sequence of the run, which may hold image tokens.</summary>
    /// <param name="pages">The sequence's pages in order, with room for the chunk.</param>
    /// <param name="start">Rows that it has.</param>
    /// <param name="ids">The chunk.</param>
    /// <param name="positions">Positions of the prompt's tokens; null where a token's place is its position.</param>
    public SequencePlacement AddChunk(ReadOnlySpan<int> pages, int start, ReadOnlySpan<int> ids, TokenPositions? positions)
    {
        Add(pages, start, ids.Length, positions?.Shift ?? 0);
        if (rows.Axes is { } axes && positions is not null)
        {
            positions.Time.AsSpan(start, ids.Length).CopyTo(_positions);
            plan.Set(axes.Rows, positions.Row.AsSpan(start, ids.Length)).Set(axes.Columns, positions.Column.AsSpan(start, ids.Length));
        }
        if (rows.ImageRows is null) return this;
        for (int i = 0; i < ids.Length; i++) _imageRows[i] = ids[i] < 0 ? -1 - ids[i] : -1;
        plan.Set(rows.ImageRows, _imageRows.AsSpan(0, ids.Length));
        return this;
    }

    /// <summary>Sets what was placed for the runs that are enqueued from now on; sequences that were not placed have no keys.</summary>
    public void End()
    {
        if (rows.Count is not null) plan.Set(rows.Count, _count);
        plan.Set(rows.Positions, _positions.AsSpan(0, _count)).Set(rows.Rows, _rows.AsSpan(0, _count));
        plan.Set(rows.Segments.KeyLengths, _lengths.AsSpan(0, _sequences));
        if (rows.Segments.QueryOffsets is not { } offsets) return;
        _offsets.AsSpan(_sequences + 1).Fill(_count);
        plan.Set(offsets, _offsets);
    }
}
