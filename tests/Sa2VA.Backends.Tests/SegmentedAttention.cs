using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Several sequences for one attention, each with keys and values of its own, and what attention gives for each of them alone. In pages,
/// the pool is shuffled, and what belongs to nobody is not a number: rows behind a sequence's last key, pages that nobody has.
/// </summary>
internal sealed class SegmentedAttention
{
    private readonly AttentionReference _attention;
    private readonly bool _causal;
    private readonly DType _type;
    private readonly int _pageRows;
    private readonly (int Rows, int Keys)[] _segments;
    private readonly float[][] _q, _k, _v;

    /// <param name="attention">Heads and widths.</param>
    /// <param name="causal">Causal.</param>
    /// <param name="type">What keys and values are stored in.</param>
    /// <param name="pageRows">Rows of a page; 0: keys of the segments stand under each other.</param>
    /// <param name="segments">Query rows and keys.</param>
    public SegmentedAttention(AttentionReference attention, bool causal, DType type, int pageRows, params (int Rows, int Keys)[] segments)
    {
        (_attention, _causal, _type, _pageRows, _segments) = (attention, causal, type, pageRows, segments);
        _q = Values(1, attention.Heads * attention.HeadDim, s => s.Rows);
        _k = Values(2, attention.KvHeads * attention.HeadDim, s => s.Keys);
        _v = Values(3, attention.KvHeads * attention.ValueDim, s => s.Keys);

        float[][] Values(int seed, int width, Func<(int Rows, int Keys), int> rows) => [.. segments.Select((s, i) =>
            TestWeights.Widened(type, TestWeights.Bytes(type, TestValues.Random(10 * i + seed, (long)rows(s) * width))))];
    }

    /// <summary>Pages at the start that every segment shares with the first one: the same keys and values, in the same place.</summary>
    public int SharedPages { get; init; }

    /// <summary>By the rule, and bit for bit what each segment gives alone.</summary>
    public void FlashAttentionIsWhatItIsAlone(string what)
    {
        Share();
        Check(Op(offsets: true, Narrow), what, (g, t) => g.FlashAttention(t[0], t[1], t[2],
            new AttentionSegments(t[3], t[4], Pages(t, 5), _pageRows), _attention.Heads, _attention.KvHeads, _attention.Scale, _causal),
            AloneInFlashAttention);
    }

    /// <inheritdoc cref="FlashAttentionIsWhatItIsAlone"/>
    public void DecodeAttentionIsWhatItIsAlone(string what)
    {
        Share();
        Check(Op(offsets: false, null), what, (g, t) => g.DecodeAttention(t[0], t[1], t[2], _attention.Heads, _attention.KvHeads,
            _attention.Scale, new AttentionSegments(t[3], null, Pages(t, 4), _pageRows)), AloneInDecodeAttention);
    }

    private static Tensor? Pages(Tensor[] t, int index) => index < t.Length ? t[index] : null;

    private void Share()
    {
        for (int s = 1; s < _segments.Length && SharedPages > 0; s++)
        {
            int rows = Math.Min(SharedPages * _pageRows, Math.Min(_segments[0].Keys, _segments[s].Keys));
            _k[0].AsSpan(0, rows * _attention.KvHeads * _attention.HeadDim).CopyTo(_k[s]);
            _v[0].AsSpan(0, rows * _attention.KvHeads * _attention.ValueDim).CopyTo(_v[s]);
        }
    }

    private void Check(GuardedOp op, string what, Func<GraphBuilder, Tensor[], Tensor> record, Func<int, int, string, float[]> alone)
    {
        int width = _attention.Heads * _attention.ValueDim;
        var exact = new List<double>();
        var naive = new List<float>();
        Dictionary<string, List<float>> own = TestBackend.Families.ToDictionary(f => f.Data, _ => new List<float>());
        for (int s = 0; s < _segments.Length; s++)
        {
            // Rows that see no key are 0.
            (int rows, int blind) = (_segments[s].Rows, Blind(s));
            exact.AddRange(new double[blind * width]);
            naive.AddRange(new float[blind * width]);
            foreach (List<float> of in own.Values) of.AddRange(new float[blind * width]);
            if (blind == rows) continue;
            (double[] e, float[] n) = _attention.Compute(Seeing(s, blind), _k[s], _v[s], Start(s));
            exact.AddRange(e);
            naive.AddRange(n);
            foreach ((string family, List<float> of) in own) of.AddRange(alone(s, blind, family));
        }
        foreach ((string family, List<float> of) in own)
            op.Satisfies<float>(exact.Count, (g, t, _) => record(g, t), y =>
            {
                Float64Rule.Check([.. exact], [.. naive], y, what);
                for (int i = 0; i < y.Length; i++)
                    if (BitConverter.SingleToInt32Bits(y[i]) != BitConverter.SingleToInt32Bits(of[i]))
                        Assert.Fail($"{what}, {family}: row {i / width} is {y[i]:R} in column {i % width}, alone {of[i]:R}.");
            }, family);
    }

    /// <summary>Query rows of a segment that see no key.</summary>
    private int Blind(int segment)
    {
        (int rows, int keys) = _segments[segment];
        return keys == 0 ? rows : _causal ? Math.Max(0, rows - keys) : 0;
    }

    /// <summary>Where the first row that sees any stands among its keys; null where all see all.</summary>
    private int? Start(int segment) => _causal ? _segments[segment].Keys - _segments[segment].Rows + Blind(segment) : null;

    private float[] Narrow() => [.. Enumerable.Range(0, _segments.Length).SelectMany(Narrow)];

    private float[] Narrow(int segment) => [.. new float[Blind(segment) * _attention.Heads * _attention.ValueDim],
        .. Blind(segment) == _segments[segment].Rows ? []
            : _attention.Narrow(Seeing(segment, Blind(segment)), _k[segment], _v[segment], Start(segment))];

    private float[] Seeing(int segment, int blind) => _q[segment][(blind * _attention.Heads * _attention.HeadDim)..];

    private float[] AloneInFlashAttention(int segment, int blind, string family)
    {
        (int rows, int keys) = _segments[segment];
        return Alone(segment, blind, (g, t, s) => g.FlashAttention(t[0], t[1], t[2], _attention.Heads, _attention.KvHeads, _attention.Scale,
            _causal, _causal ? s[0] : null), _causal ? Math.Max(0, keys - rows) : 0, family);
    }

    private float[] AloneInDecodeAttention(int segment, int blind, string family) => Alone(segment, blind,
        (g, t, _) => g.DecodeAttention(t[0], t[1], t[2], _attention.Heads, _attention.KvHeads, _attention.Scale), 0, family);

    private float[] Alone(int segment, int blind, GuardedOp.Recorder record, int start, string family)
    {
        (int rows, int keys) = _segments[segment];
        (int heads, int kvHeads, int d, int e) = _attention;
        return new GuardedOp().Floats(new Shape(rows - blind, heads * d), Seeing(segment, blind))
            .Floats(new Shape(keys, kvHeads * d), _k[segment], _type).Floats(new Shape(keys, kvHeads * e), _v[segment], _type)
            .Scalar("start", 1000, start).Once((rows - blind) * heads * e, record, family);
    }

    private GuardedOp Op(bool offsets, Func<float[]>? narrow)
    {
        (int heads, int kvHeads, int d, int e) = _attention;
        int rows = _segments.Sum(s => s.Rows);
        (int[][] pages, int keyRows) = _pageRows > 0 ? Pages() : ([], _segments.Sum(s => s.Keys) + 3);
        GuardedOp op = new GuardedOp { Narrow = narrow }.Floats(new Shape(rows, heads * d), [.. _q.SelectMany(x => x)])
            .Floats(new Shape(keyRows, kvHeads * d), Placed(_k, kvHeads * d, pages, keyRows), _type)
            .Floats(new Shape(keyRows, kvHeads * e), Placed(_v, kvHeads * e, pages, keyRows), _type)
            .Ints([.. _segments.Select(s => s.Keys)]);
        if (offsets) op.Ints([.. Enumerable.Range(0, _segments.Length + 1).Select(i => _segments.Take(i).Sum(s => s.Rows))]);
        if (_pageRows == 0) return op;

        // Behind a segment's last page, anything may stand.
        int most = pages.Max(p => p.Length) + 2;
        return op.Ints(new Shape(pages.Length, most),
            [.. pages.SelectMany(p => Enumerable.Range(0, most).Select(i => i < p.Length ? p[i] : i % 2 == 0 ? int.MaxValue : -1))]);
    }

    /// <summary>The segments' pages in a shuffled pool that has three more.</summary>
    private (int[][] Pages, int Rows) Pages()
    {
        int[] counts = [.. _segments.Select(s => (s.Keys + _pageRows - 1) / _pageRows)];
        int[] free = [.. Enumerable.Range(0, counts.Sum() + 3)];
        new Random(4).Shuffle(free);
        int next = 0;
        var pages = new int[counts.Length][];
        for (int s = 0; s < counts.Length; s++)
            pages[s] = [.. Enumerable.Range(0, counts[s])
                .Select(i => s > 0 && i < Math.Min(SharedPages, counts[0]) ? pages[0][i] : free[next++])];
        return (pages, free.Length * _pageRows);
    }

    private float[] Placed(float[][] values, int width, int[][] pages, int rows)
    {
        var all = new float[rows * width];
        Array.Fill(all, float.NaN);
        int row = 0;
        for (int s = 0; s < values.Length; s++)
            for (int j = 0; j < _segments[s].Keys; j++, row++)
            {
                int to = _pageRows == 0 ? row : pages[s][j / _pageRows] * _pageRows + j % _pageRows;
                values[s].AsSpan(j * width, width).CopyTo(all.AsSpan(to * width));
            }
        return all;
    }
}
