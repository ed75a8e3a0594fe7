using Sa2VA.Core;

namespace Sa2VA.Tests;

public class RotaryEmbeddingTests
{
    [Theory]
    [InlineData(1, 1, 1, RotaryPairing.Half, 0, 1, 13)]
    [InlineData(7, 3, 12, RotaryPairing.Half, 5, 7, 12)]
    [InlineData(7, 3, 12, RotaryPairing.Adjacent, 0, 7, 13)]
    [InlineData(33, 2, 32, RotaryPairing.Half, 100, 33, 133)]
    [InlineData(33, 2, 32, RotaryPairing.Half, 5, 33, 13)]
    [InlineData(40, 1, 8, RotaryPairing.Half, 29, 40, 30)]
    [InlineData(130, 1, 128, RotaryPairing.Adjacent, 0, 97, 13)]
    [InlineData(19, 14, 17, RotaryPairing.Half, 3, 19, 22)]
    [InlineData(50, 1, 31, RotaryPairing.Adjacent, 0, 0, 13)]
    public void Rotates(int rows, int heads, int pairs, RotaryPairing pairing, int start, int rotated, int table)
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
            float c = cos[(start + r) % table * pairs + p], s = sin[(start + r) % table * pairs + p], a = x[first], b = x[second];
            if (r >= rotated) (c, s) = (1, 0);
            (reference[first], reference[second]) = ((double)a * c - (double)b * s, (double)b * c + (double)a * s);
            (naive[first], naive[second]) = (a * c - b * s, b * c + a * s);
        }
        new GuardedOp().Floats(new Shape(rows, width), x).Scalar("start", 1000, start).Scalar("rotated", 1000, rotated)
            .Follows(reference, naive, $"rotary {rows}×{heads}×{2 * pairs} {pairing}", (g, t, s) =>
                g.RotaryEmbedding(t[0], g.Constant("cos", new Shape(table, pairs), cos),
                g.Constant("sin", new Shape(table, pairs), sin), heads, pairing, s[0], s[1]));
    }
}
