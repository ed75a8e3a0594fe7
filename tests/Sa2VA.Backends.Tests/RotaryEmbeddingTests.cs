using Sa2VA.Core;

namespace Sa2VA.Tests;

public class RotaryEmbeddingTests
{
    [Theory]
    [InlineData(1, 1, 1, RotaryPairing.Half, 13)]
    [InlineData(7, 3, 12, RotaryPairing.Half, 12)]
    [InlineData(7, 3, 12, RotaryPairing.Adjacent, 13)]
    [InlineData(33, 2, 32, RotaryPairing.Half, 133)]
    [InlineData(33, 2, 32, RotaryPairing.Half, 13)]
    [InlineData(40, 1, 8, RotaryPairing.Half, 30)]
    [InlineData(130, 1, 128, RotaryPairing.Adjacent, 13)]
    [InlineData(19, 14, 17, RotaryPairing.Half, 22)]
    public void Rotates(int rows, int heads, int pairs, RotaryPairing pairing, int table)
    {
        int width = heads * pairs * 2;
        float[] x = TestValues.Random(1, rows * width), angles = TestValues.Random(2, table * pairs, 7);
        float[] cos = [.. angles.Select(MathF.Cos)], sin = [.. angles.Select(MathF.Sin)];
        var reference = new double[x.Length];
        var naive = new float[x.Length];
        for (int i = 0; i < rows * heads * pairs; i++)
        {
            int r = i / (heads * pairs), h = i / pairs % heads, p = i % pairs, at = r * width + h * pairs * 2;
            (int first, int second) = pairing == RotaryPairing.Half ? (at + p, at + pairs + p) : (at + 2 * p, at + 2 * p + 1);
            // A table shorter than the rows repeats.
            float c = cos[r % table * pairs + p], s = sin[r % table * pairs + p], a = x[first], b = x[second];
            (reference[first], reference[second]) = ((double)a * c - (double)b * s, (double)b * c + (double)a * s);
            (naive[first], naive[second]) = (a * c - b * s, b * c + a * s);
        }
        new GuardedOp().Floats(new Shape(rows, width), x)
            .Follows(reference, naive, $"rotary {rows}×{heads}×{2 * pairs} {pairing}", (g, t, _) =>
                g.RotaryEmbedding(t[0], g.Constant("cos", new Shape(table, pairs), cos),
                g.Constant("sin", new Shape(table, pairs), sin), heads, pairing));
    }

    [Theory]
    [InlineData(1, 1, 1, RotaryPairing.Half)]
    [InlineData(33, 2, 32, RotaryPairing.Half)]
    [InlineData(130, 1, 128, RotaryPairing.Adjacent)]
    public void Rows_at_listed_positions_have_the_bits_of_rows_that_follow_each_other(int rows, int heads, int pairs, RotaryPairing pairing)
    {
        const int Table = 50;
        int width = heads * pairs * 2;
        float[] x = TestValues.Random(1, rows * width);
        float[] cos = TestValues.Random(2, Table * pairs), sin = TestValues.Random(3, Table * pairs);
        var random = new Random(rows);
        int[] positions = [.. Enumerable.Range(0, rows).Select(_ => random.Next(-1, Table))];
        positions[0] = Table - 1;

        // Each row beside the same one, rotated by a table of its position alone: the bits are those of every family.
        var expected = new float[x.Length];
        for (int r = 0; r < rows; r++)
        {
            float[] row = x[(r * width)..((r + 1) * width)];
            if (positions[r] >= 0)
                row = new GuardedOp().Floats(new Shape(1, width), row).Once(width,
                    (g, t, _) => g.RotaryEmbedding(t[0], At(g, "cos", cos, positions[r]), At(g, "sin", sin, positions[r]), heads, pairing),
                    TestBackend.All[0].Family);
            row.CopyTo(expected, r * width);
        }
        Op().Gives(expected, Record);
        Op().Scalar("n", rows, rows / 2).Gives(expected[..(rows / 2 * width)], (g, t, s) => Record(g,
            [g.Reshape(t[0], t[0].Shape, s[0]), g.Reshape(t[1], t[1].Shape, s[0])]));
        foreach (int wrong in (int[])[-2, Table, int.MaxValue])
        {
            positions[^1] = wrong;
            Op().IsRefused<float>(expected.Length, (g, t, _) => Record(g, t), "50 rows");
        }

        GuardedOp Op() => new GuardedOp().Floats(new Shape(rows, width), x).Ints(positions);

        Tensor Record(GraphBuilder g, Tensor[] t) => g.RotaryEmbedding(t[0], g.Constant("cos", new Shape(Table, pairs), cos),
            g.Constant("sin", new Shape(Table, pairs), sin), t[1], heads, pairing);

        Tensor At(GraphBuilder g, string name, float[] table, int position) =>
            g.Constant(name, new Shape(1, pairs), table[(position * pairs)..((position + 1) * pairs)]);
    }
}
