using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Attentions: all, causal, over pages, of one query, in windows.</summary>
internal static class AttentionCases
{
    public static IEnumerable<OpCase> All =>
    [
        new FlashCase(5, 37, new Heads(2, 2, 32, 32), false), new FlashCase(67, 130, new Heads(3, 3, 64, 64), false),
        new FlashCase(33, 40, new Heads(4, 2, 24, 24), true), new FlashCase(16, 90, new Heads(1, 1, 256, 64), false),
        new PagedCase(), new DecodeCase(1, new Heads(2, 2, 24, 24)), new DecodeCase(97, new Heads(4, 2, 64, 64)),
        new WindowCase(8, 8, 4, false), new WindowCase(7, 10, 4, false), new WindowCase(8, 12, 4, true),
    ];

    private readonly record struct Heads(int Queries, int Keys, int Dim, int ValueDim)
    {
        public float Scale => 1 / MathF.Sqrt(Dim);
    }

    /// <summary>One query head over keys: Σ softmax(scale·q·k)·v; zeros where there is no key.</summary>
    private static T[] Attend<T>(T[] q, IReadOnlyList<T[]> keys, IReadOnlyList<T[]> values, float scale, int valueDim)
        where T : IBinaryFloatingPointIeee754<T>
    {
        T[] scores = [.. keys.Select(k => T.CreateChecked(scale) * q.Zip(k, (a, b) => a * b).Aggregate((a, b) => a + b))];
        T[] weights = RowCases.Softmax(scores);
        var sum = new T[valueDim];
        for (int j = 0; j < values.Count; j++)
            for (int c = 0; c < valueDim; c++) sum[c] += weights[j] * values[j][c];
        return sum;
    }

    private static T[] Part<T>(T[] rows, int row, int width, int head, int dim) => rows.AsSpan(row * width + head * dim, dim).ToArray();

    /// <summary>A row of queries over rows of keys and values.</summary>
    private static IEnumerable<T> Row<T>(T[] q, int row, T[] k, T[] v, IReadOnlyList<int> keys, Heads heads)
        where T : IBinaryFloatingPointIeee754<T>
    {
        (int queryHeads, int keyHeads, int dim, int valueDim) = heads;
        for (int h = 0; h < queryHeads; h++)
        {
            int shared = h * keyHeads / queryHeads;
            foreach (T sum in Attend(Part(q, row, queryHeads * dim, h, dim),
                [.. keys.Select(j => Part(k, j, keyHeads * dim, shared, dim))],
                [.. keys.Select(j => Part(v, j, keyHeads * valueDim, shared, valueDim))], heads.Scale, valueDim)) yield return sum;
        }
    }

    private sealed class FlashCase : OpCase
    {
        private readonly int _queries, _keys;
        private readonly Heads _heads;
        private readonly bool _isCausal;

        public FlashCase(int queries, int keys, Heads heads, bool isCausal) : base(nameof(FlashAttention),
            $"{queries} over {keys}, {heads.Queries}/{heads.Keys} heads of {heads.Dim} and {heads.ValueDim}{(isCausal ? ", causal" : "")}")
        {
            (_queries, _keys, _heads, _isCausal) = (queries, keys, heads, isCausal);
            Floats(new Shape(queries, heads.Queries * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.Dim));
            Floats(new Shape(keys, heads.Keys * heads.ValueDim));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.FlashAttention(x[0], x[1], x[2], _heads.Queries, _heads.Keys, _heads.Scale, _isCausal);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] q = x[0], k = x[1], v = x[2];
            return [.. Enumerable.Range(0, _queries).SelectMany(i =>
                Row(q, i, k, v, [.. Enumerable.Range(0, _isCausal ? Math.Min(i + 1, _keys) : _keys)], _heads))];
        }
    }

    /// <summary>Two chats of three and two new tokens, whose keys lie in pages of a pool.</summary>
    private sealed class PagedCase : OpCase
    {
        private const int PageRows = 4;
        private static readonly Heads Of = new(4, 2, 24, 24);
        private static readonly int[] KeyLengths = [9, 6], Offsets = [0, 3, 5], Pages = [5, 0, 3, 2, 5, 1];

        public PagedCase() : base(nameof(FlashAttention), "2 chats over pages, causal")
        {
            Floats(new Shape(5, Of.Queries * Of.Dim));
            Floats(new Shape(6 * PageRows, Of.Keys * Of.Dim));
            Floats(new Shape(6 * PageRows, Of.Keys * Of.Dim));
            Integers(KeyLengths);
            Integers(Offsets);
            Integers(new Shape(2, 3), Pages);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.FlashAttention(x[0], x[1], x[2],
            new AttentionSegments(x[3], x[4], x[5], PageRows), Of.Queries, Of.Keys, Of.Scale, causal: true);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] q = x[0], k = x[1], v = x[2];
            return [.. Enumerable.Range(0, 5).SelectMany(i =>
            {
                int s = i < Offsets[1] ? 0 : 1, seen = KeyLengths[s] - (Offsets[s + 1] - Offsets[s]) + i - Offsets[s] + 1;
                return Row(q, i, k, v,
                    [.. Enumerable.Range(0, seen).Select(j => Pages[s * 3 + j / PageRows] * PageRows + j % PageRows)], Of);
            })];
        }
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

        public override T[] Result<T>(CaseValues<T> x) => [.. Row(x[0], 0, x[1], x[2], [.. Enumerable.Range(0, _keys)], _heads)];
    }

    private sealed class WindowCase : OpCase
    {
        private const int HeadCount = 2, Dim = 24, Width = HeadCount * Dim;
        private readonly int _h, _w, _window;
        private readonly bool _pools;

        public WindowCase(int h, int w, int window, bool pools)
            : base(nameof(WindowAttention), $"{h}×{w}, windows of {window}×{window}, {HeadCount} heads of {Dim}{(pools ? ", pooled" : "")}")
        {
            (_h, _w, _window, _pools) = (h, w, window, pools);
            Floats(new Shape(h, w, 3 * Width));
            Weight("bias", new Shape(3 * Width));
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
                    return Attend(q, [.. places.Select(p => Token(p, h, 1))], [.. places.Select(p => Token(p, h, 2))], 0.3f, Dim);
                });
            })];

            // Where the map has no token, the projection's bias stands.
            int Place(int row, int column) => row < _h && column < _w ? row * _w + column : -1;
            T[] Token(int place, int head, int part) =>
                (place < 0 ? bias : map).AsSpan((Math.Max(place, 0) * 3 + part) * Width + head * Dim, Dim).ToArray();
        }
    }
}
