using Sa2VA.Core;

namespace Sa2VA.Tests;

public class AttentionTests
{
    [Theory]
    [InlineData(1, 1, 8, 8, 1, 1, false)]
    [InlineData(37, 101, 24, 24, 6, 2, false)]
    [InlineData(65, 65, 64, 64, 4, 1, true)]
    [InlineData(130, 200, 72, 72, 2, 2, false)]
    [InlineData(33, 391, 256, 64, 1, 1, false)]
    [InlineData(200, 300, 20, 20, 3, 1, true)]
    [InlineData(5, 97, 128, 128, 8, 2, true)]
    [InlineData(64, 96, 16, 7, 2, 1, false)]
    // Few queries.
    [InlineData(8, 1300, 16, 16, 8, 8, false)]
    [InlineData(16, 333, 32, 32, 4, 2, false)]
    public void FlashAttention(int n, int m, int d, int e, int heads, int kvHeads, bool causal)
    {
        var attention = new AttentionReference(heads, kvHeads, d, e);
        float[] q = TestValues.Random(1, (long)n * heads * d, 3), k = TestValues.Random(2, (long)m * kvHeads * d, 3);
        float[] v = TestValues.Random(3, (long)m * kvHeads * e);
        (double[] exact, float[] naive) = attention.Compute(q, k, v, causal ? 0 : null);
        new GuardedOp().Floats(new Shape(n, heads * d), q).Floats(new Shape(m, kvHeads * d), k).Floats(new Shape(m, kvHeads * e), v)
            .Follows(exact, naive, $"attention {n}×{m} d={d}",
                (g, t) => g.FlashAttention(t[0], t[1], t[2], heads, kvHeads, attention.Scale, causal));
    }

    /// <summary>
    /// Around the edges of blocks of 32 queries and tiles of 96 keys, where the last key a query sees is alone in its tile.
    /// </summary>
    public static TheoryData<int, int> Chunks() =>
        [.. from start in (int[])[0, 1, 31, 33, 95, 97] from rows in (int[])[1, 2, 127, 128, 129] select (start, rows)];

    [Theory]
    [MemberData(nameof(Chunks))]
    public void Chunks_of_a_causal_sequence_see_what_is_before_them(int start, int rows)
    {
        AttentionReference[] others = [new(1, 1, 72, 72), new(2, 2, 80, 80), new(1, 1, 128, 128), new(2, 1, 256, 64)];
        foreach (AttentionReference attention in (AttentionReference[])[new(4, 2, 64, 64), others[(start + rows) % 4]])
        {
            // The cache has room for more; what lies there is not a number. Scores are flat, so that no key is without weight.
            (int heads, int kvHeads, int d, int e) = attention;
            int length = start + rows, capacity = length + 100;
            float[] q = TestValues.Random(1, rows * heads * d), k = TestValues.Random(2, capacity * kvHeads * d);
            float[] v = TestValues.Random(3, capacity * kvHeads * e);
            (double[] exact, float[] naive) = attention.Compute(q, k[..(length * kvHeads * d)], v, start);
            k.AsSpan(length * kvHeads * d).Fill(float.NaN);
            v.AsSpan(length * kvHeads * e).Fill(float.NaN);
            new GuardedOp().Floats(new Shape(rows, heads * d), q).Floats(new Shape(capacity, kvHeads * d), k)
                .Floats(new Shape(capacity, kvHeads * e), v).Scalar("start", 1000, start).Scalar("length", capacity, length)
                .Follows(exact, naive, $"{rows} rows from {start}, d={d}", (g, t, s) => g.FlashAttention(t[0],
                    g.Reshape(t[1], t[1].Shape, s[1]), g.Reshape(t[2], t[2].Shape, s[1]), heads, kvHeads, attention.Scale, true, s[0]));
        }
    }

    [Theory]
    [InlineData(16, 16, 8, 2, 24, false, true)]
    [InlineData(10, 14, 4, 2, 8, false, true)]
    [InlineData(16, 16, 8, 4, 72, true, true)]
    [InlineData(14, 10, 4, 1, 16, true, true)]
    [InlineData(6, 6, 14, 2, 20, false, true)]
    [InlineData(6, 6, 14, 2, 20, true, false)]
    [InlineData(32, 16, 16, 2, 56, true, true)]
    [InlineData(16, 32, 16, 1, 72, false, true)]
    [InlineData(16, 32, 16, 2, 72, true, true)]
    [InlineData(16, 8, 8, 2, 72, false, false)]
    [InlineData(8, 12, 4, 2, 72, false, true)]
    [InlineData(8, 12, 4, 3, 72, true, true)]
    [InlineData(14, 28, 14, 1, 72, false, true)]
    [InlineData(14, 14, 14, 1, 72, true, true)]
    [InlineData(6, 3, 3, 1, 72, false, true)]
    [InlineData(9, 13, 8, 1, 72, false, true)]
    public void WindowAttention_is_attention_of_gathered_windows(int height, int width, int window, int heads, int d, bool pool,
        bool hasBias)
    {
        int c = heads * d;
        var attention = new AttentionReference(heads, heads, d, d);
        float[] x = TestValues.Random(1, (long)height * width * 3 * c);
        var weights = new TestWeights();
        float[] bias = hasBias ? weights.Add("b", DType.F32, new Shape(3 * c), TestValues.Random(2, 3 * c)) : new float[3 * c];
        int by = pool ? 2 : 1, outHeight = height / by, outWidth = width / by, area = window * window, side = window / by;
        var exact = new double[outHeight * outWidth * c];
        float[] naive = new float[exact.Length], narrow = new float[exact.Length];
        for (int top = 0; top < height; top += window)
        {
            for (int left = 0; left < width; left += window)
            {
                float[] k = [.. Enumerable.Range(0, area).SelectMany(i => Token(top + i / window, left + i % window, 1))];
                float[] v = [.. Enumerable.Range(0, area).SelectMany(i => Token(top + i / window, left + i % window, 2))];
                float[] q = [.. Enumerable.Range(0, side * side).SelectMany(i => Query(top + i / side * by, left + i % side * by))];
                (double[] r, float[] f) = attention.Compute(q, k, v);
                float[] n = attention.Narrow(q, k, v);
                for (int i = 0; i < side * side; i++)
                {
                    int y = top / by + i / side, z = left / by + i % side;
                    if (y >= outHeight || z >= outWidth) continue;
                    Array.Copy(r, i * c, exact, (y * outWidth + z) * c, c);
                    Array.Copy(f, i * c, naive, (y * outWidth + z) * c, c);
                    Array.Copy(n, i * c, narrow, (y * outWidth + z) * c, c);
                }
            }
        }
        new GuardedOp(weights) { Narrow = () => narrow }.Floats(new Shape(height, width, 3 * c), x)
            .Follows(exact, naive, $"windows {height}×{width}/{window} d={d}",
                (g, t) => g.WindowAttention(t[0], hasBias ? g.Weight("b") : null, heads, window, pool, attention.Scale));

        // Part 0, 1, 2 of a token: query, key, value. Tokens outside of the map are the bias.
        float[] Token(int y, int z, int part) =>
            (y < height && z < width ? x.AsSpan(((y * width + z) * 3 + part) * c, c) : bias.AsSpan(part * c, c)).ToArray();

        float[] Query(int y, int z)
        {
            if (!pool) return Token(y, z, 0);
            float[][] four = [Token(y, z, 0), Token(y, z + 1, 0), Token(y + 1, z, 0), Token(y + 1, z + 1, 0)];
            return [.. Enumerable.Range(0, c).Select(j => four.Max(f => f[j]))];
        }
    }

    [Theory]
    [InlineData(1, 16, 2, 1)]
    [InlineData(97, 64, 14, 2)]
    [InlineData(1000, 20, 3, 1)]
    [InlineData(33, 128, 8, 8)]
    public void DecodeAttention(int length, int d, int heads, int kvHeads)
    {
        var attention = new AttentionReference(heads, kvHeads, d, d);
        var cache = new Shape(length, kvHeads * d);
        float[] q = TestValues.Random(1, heads * d, 2), k = TestValues.Random(2, cache.Count, 2), v = TestValues.Random(3, cache.Count);
        (double[] exact, float[] naive) = attention.Compute(q, k, v);
        new GuardedOp().Floats(new Shape(1, heads * d), q).Floats(cache, k).Floats(cache, v)
            .Follows(exact, naive, $"decode {length} d={d}", (g, t) =>
                g.DecodeAttention(t[0], t[1], t[2], heads, kvHeads, attention.Scale));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(129)]
    public void DecodeAttention_sees_the_valid_rows_of_a_cache_only(int length)
    {
        var attention = new AttentionReference(6, 2, 24, 24);
        var cache = new Shape(200, 48);
        float[] q = TestValues.Random(1, 144), k = TestValues.Random(2, cache.Count), v = TestValues.Random(3, cache.Count);
        (double[] exact, float[] naive) = attention.Compute(q, k[..(length * 48)], v);
        k.AsSpan(length * 48).Fill(float.NaN);
        v.AsSpan(length * 48).Fill(float.NaN);
        new GuardedOp().Floats(new Shape(1, 144), q).Floats(cache, k).Floats(cache, v).Scalar("length", 200, length)
            .Follows(exact, naive, $"decode {length} of 200", (g, t, s) => g.DecodeAttention(t[0],
                g.Reshape(t[1], t[1].Shape, s[0]), g.Reshape(t[2], t[2].Shape, s[0]), 6, 2, attention.Scale));
    }

    [Fact]
    public void Constant_values_come_back_and_hidden_keys_leave_no_trace()
    {
        var shape = new Shape(50, 16);
        float[] ones = new float[shape.Count], v = TestValues.Random(3, shape.Count);
        Array.Fill(ones, 1);
        GuardedOp Inputs(float[] values) =>
            new GuardedOp().Floats(shape, TestValues.Random(1, shape.Count)).Floats(shape, TestValues.Random(2, shape.Count))
                .Floats(shape, values);
        Inputs(ones).Satisfies<float>(ones.Length, (g, t, _) => g.FlashAttention(t[0], t[1], t[2], 2, 2, 0.25f),
            y => Assert.All(y, value => Assert.Equal(1, value, 1e-6f)));

        // Causal: the first query sees the first key alone, so the value of that key comes back exactly.
        Inputs(v).Satisfies<float>(v.Length, (g, t, _) => g.FlashAttention(t[0], t[1], t[2], 2, 2, 0.25f, causal: true),
            y => Assert.Equal(v[..16], y[..16]));
    }
}
