using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Attentions: all, causal, over pages, of one query, in windows.</summary>
internal static class AttentionCases
{
    public static IEnumerable<OpCase> All =>
    [
        new FlashCase(5, 37, new Heads(2, 2, 32, 32), false), new FlashCase(67, 130, new Heads(3, 3, 64, 64), false),
        new FlashCase(8, 1100, new Heads(8, 8, 16, 16), false),
        new FlashCase(33, 40, new Heads(4, 2, 24, 24), true), new FlashCase(16, 90, new Heads(1, 1, 256, 64), false),
        .. ((int[])[16, 72, 80, 128, 256]).Select(d => new FlashCase(35, 70, new Heads(2, 1, d, d), d is 80 or 128)),
        // So many rows that a card of a hundred multiprocessors takes twice as many to a block.
        new FlashCase(1408, 35, new Heads(12, 4, 64, 64), false, true), new FlashCase(1408, 35, new Heads(12, 4, 72, 72), false, true),
        new FlashCase(1408, 35, new Heads(12, 4, 256, 64), false, true),
        // So many keys that the rings of an H100's own kernels begin anew.
        .. ((int[])[64, 72, 80, 128]).Select(d => new FlashCase(70, 330, new Heads(2, 1, d, d), false, true)),
        // So few keys that an H100 has nothing of its own for them.
        new FlashCase(9, 33, new Heads(2, 1, 64, 64), false, true), new FlashCase(9, 33, new Heads(1, 1, 256, 64), false, true),
        .. ((int[])[72, 80, 128]).Select(d => new FlashCase(9, 33, new Heads(2, 1, d, d), d == 128, true)),
        new FlashCase(9, 31, new Heads(1, 1, 256, 256), false, true),
        // So many keys that a GPU cuts them into splits.
        new FlashCase(70, 2100, new Heads(1, 1, 256, 64), false, true), new FlashCase(9, 1030, new Heads(1, 1, 256, 256), false, true),
        new PagedCase("pages", new Heads(4, 2, 24, 24), 4, [9, 6], [0, 3, 5], [5, 0, 3, 2, 5, 1]),
        new PagedCase("pages of 16 rows", new Heads(2, 1, 64, 64), 16, [150, 70], [0, 3, 72],
            [7, 0, 12, 3, 15, 9, 1, 11, 6, 14, 4, 10, 2, 13, 5, 0, 0, 0, 0, 0]),
        new DecodeCase(1, new Heads(2, 2, 24, 24)), new DecodeCase(97, new Heads(4, 2, 64, 64)),
        new DecodeCase(300, new Heads(2, 1, 128, 128)), new DecodeCase(140, new Heads(14, 2, 16, 16)),
        new DecodeCase(70, new Heads(3, 1, 32, 32)),
        new WindowCase(8, 8, 4, 24, false), new WindowCase(7, 10, 4, 24, false), new WindowCase(8, 12, 4, 24, true),
        new WindowCase(8, 9, 8, 72, false), new WindowCase(16, 16, 16, 72, true), new WindowCase(16, 32, 16, 72, false),
        new WindowCase(16, 8, 8, 72, true), new WindowCase(8, 12, 4, 72, false), new WindowCase(8, 12, 4, 72, true),
    ];

    private readonly record struct Heads(int Queries, int Keys, int Dim, int ValueDim)
    {
        public float Scale => 1 / MathF.Sqrt(Dim);
    }

    /// <summary>One query head over keys: Σ softmax(scale·q·k)·v; zeros where there is no key.</summary>
    private static T[] Attend<T>(T[] q, T[][] keys, T[][] values, float scale, int valueDim) where T : IBinaryFloatingPointIeee754<T>
    {
        var scores = new T[keys.Length];
        for (int j = 0; j < keys.Length; j++)
        {
            T dot = T.Zero;
            for (int c = 0; c < q.Length; c++) dot += q[c] * keys[j][c];
            scores[j] = T.CreateChecked(scale) * dot;
        }
        T[] weights = RowCases.Softmax(scores);
        var sum = new T[valueDim];
        for (int j = 0; j < values.Length; j++)
            for (int c = 0; c < valueDim; c++) sum[c] += weights[j] * values[j][c];
        return sum;
    }

    /// <summary>Rows of heads, by head and row.</summary>
    private static T[][][] Split<T>(T[] rows, int heads, int dim) => [.. Enumerable.Range(0, heads).Select(h =>
        (T[][])[.. rows.Chunk(heads * dim).Select(row => row[(h * dim)..((h + 1) * dim)])])];

    /// <summary>What rows of queries get, each of those keys that it sees.</summary>
    private static T[] Rows<T>(CaseValues<T> x, int queries, Heads heads, Func<int, IEnumerable<int>> seen)
        where T : IBinaryFloatingPointIeee754<T>
    {
        T[][][] q = Split(x[0], heads.Queries, heads.Dim), k = Split(x[1], heads.Keys, heads.Dim),
            v = Split(x[2], heads.Keys, heads.ValueDim);
        return [.. Enumerable.Range(0, queries).SelectMany(row =>
        {
            int[] keys = [.. seen(row)];
            return Enumerable.Range(0, heads.Queries).SelectMany(h =>
            {
                int shared = h * heads.Keys / heads.Queries;
                return Attend(q[h][row], Array.ConvertAll(keys, j => k[shared][j]), Array.ConvertAll(keys, j => v[shared][j]),
                    heads.Scale, heads.ValueDim);
            });
        })];
    }

    private sealed class FlashCase : OpCase
    {
        private readonly int _queries, _keys;
        private readonly Heads _heads;
        private readonly bool _isCausal;

        public FlashCase(int queries, int keys, Heads heads, bool isCausal, bool isOfBFloat16Alone = false) : base(nameof(FlashAttention),
            $"{queries} over {keys}, {heads.Queries}/{heads.Keys} heads of {heads.Dim} and {heads.ValueDim}{(isCausal ? ", causal" : "")}")
        {
            (_queries, _keys, _heads, _isCausal, IsOfBFloat16Alone) = (queries, keys, heads, isCausal, isOfBFloat16Alone);
            Floats(new Shape(queries, heads.Queries * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.ValueDim));
        }

        public override bool IsOfBFloat16Alone { get; }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.FlashAttention(x[0], x[1], x[2], _heads.Queries, _heads.Keys, _heads.Scale, _isCausal);

        public override T[] Result<T>(CaseValues<T> x) =>
            Rows(x, _queries, _heads, i => Enumerable.Range(0, _isCausal ? Math.Min(i + 1, _keys) : _keys));
    }

    /// <summary>Two chats of some new tokens, whose keys lie in pages of a pool.</summary>
    private sealed class PagedCase : OpCase
    {
        private readonly Heads _heads;
        private readonly int _pageRows;
        private readonly int[] _keys, _offsets, _pages;

        public PagedCase(string what, Heads heads, int pageRows, int[] keys, int[] offsets, int[] pages)
            : base(nameof(FlashAttention), $"2 chats over {what}, causal")
        {
            (_heads, _pageRows, _keys, _offsets, _pages) = (heads, pageRows, keys, offsets, pages);
            int rows = (pages.Max() + 1) * pageRows;
            Floats(new Shape(offsets[^1], heads.Queries * heads.Dim));
            Floats(new Shape(rows, heads.Keys * heads.Dim));
            Floats(new Shape(rows, heads.Keys * heads.Dim));
            Integers(keys);
            Integers(offsets);
            Integers(new Shape(2, pages.Length / 2), pages);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.FlashAttention(x[0], x[1], x[2],
            new AttentionSegments(x[3], x[4], x[5], _pageRows), _heads.Queries, _heads.Keys, _heads.Scale, causal: true);

        public override T[] Result<T>(CaseValues<T> x) => Rows(x, _offsets[^1], _heads, i =>
        {
            int s = i < _offsets[1] ? 0 : 1, seen = _keys[s] - (_offsets[s + 1] - _offsets[s]) + i - _offsets[s] + 1;
            return Enumerable.Range(0, seen)
                .Select(j => _pages[s * _pages.Length / 2 + j / _pageRows] * _pageRows + j % _pageRows);
        });
    }

    private sealed class DecodeCase : OpCase
    {
        private readonly int _keys;
        private readonly Heads _heads;

        public DecodeCase(int keys, Heads heads)
            : base(nameof(DecodeAttention), $"1 over {keys}, {heads.Queries}/{heads.Keys} heads of {heads.Dim}")
        {
            (_keys, _heads) = (keys, heads);
            Floats(new Shape(1, heads.Queries * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.Dim));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.DecodeAttention(x[0], x[1], x[2], _heads.Queries, _heads.Keys, _heads.Scale);

        public override T[] Result<T>(CaseValues<T> x) => Rows(x, 1, _heads, _ => Enumerable.Range(0, _keys));
    }

    private sealed class WindowCase : OpCase
    {
        private const int HeadCount = 2;
        private readonly int _h, _w, _window, _dim;
        private readonly bool _pools;

        public WindowCase(int h, int w, int window, int dim, bool pools)
            : base(nameof(WindowAttention), $"{h}×{w}, windows of {window}×{window}, {HeadCount} heads of {dim}{(pools ? ", pooled" : "")}")
        {
            (_h, _w, _window, _dim, _pools) = (h, w, window, dim, pools);
            Floats(new Shape(h, w, 3 * HeadCount * dim));
            Weight("bias", new Shape(3 * HeadCount * dim));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.WindowAttention(x[0], g.Weight("bias"), HeadCount, _window, _pools, 0.3f);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] map = x[0], bias = x.Weight("bias");
            int by = _pools ? 2 : 1, height = _h / by, width = _w / by;
            return [.. Enumerable.Range(0, height * width).SelectMany(i =>
            {
                int row = i / width * by, column = i % width * by, top = row / _window * _window, left = column / _window * _window;
                int[] places = [.. Enumerable.Range(0, _window * _window).Select(p => Place(top + p / _window, left + p % _window))];
                return Enumerable.Range(0, HeadCount).SelectMany(h =>
                {
                    T[] q = Token(Place(row, column), h, 0);
                    if (_pools)
                        foreach (int place in (int[])[Place(row, column + 1), Place(row + 1, column), Place(row + 1, column + 1)])
                            q = [.. q.Zip(Token(place, h, 0), T.Max)];
                    return Attend(q, [.. places.Select(p => Token(p, h, 1))], [.. places.Select(p => Token(p, h, 2))], 0.3f, _dim);
                });
            })];

            // Where the map has no token, the projection's bias stands.
            int Place(int row, int column) => row < _h && column < _w ? row * _w + column : -1;
            T[] Token(int place, int head, int part) =>
                (place < 0 ? bias : map).AsSpan(((Math.Max(place, 0) * 3 + part) * HeadCount + head) * _dim, _dim).ToArray();
        }
    }
}
