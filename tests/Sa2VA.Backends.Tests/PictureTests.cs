using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Frames in and masks out: both are exact, so the reference is the rule itself in plain loops.</summary>
public sealed class PictureTests
{
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(7, 5, 7, 5)]
    [InlineData(9, 33, 9, 17)]
    [InlineData(33, 9, 17, 9)]
    [InlineData(60, 107, 32, 32)]
    [InlineData(13, 11, 40, 50)]
    [InlineData(2, 90, 31, 3)]
    [InlineData(1, 200, 64, 64)]
    [InlineData(135, 240, 64, 64)]
    public void A_picture_is_resized_to_the_byte(int h, int w, int h2, int w2)
    {
        var source = new byte[h * w * 3];
        new Random(h * 1000 + w).NextBytes(source);
        // Overshoot at hard edges is where rounding and clamping show.
        for (int i = 0; i < source.Length; i += 7) source[i] = (byte)(i % 2 * 255);
        new GuardedOp().Bytes(new Shape(h, w, 3), source).Gives(Pillow(source, h, w, h2, w2), (g, t) => g.PillowResize(t[0], h2, w2));
    }

    [Theory]
    [InlineData(1, 4, 16, 16, 16)]
    [InlineData(1, 4, 16, 9, 33)]
    [InlineData(3, 8, 32, 45, 31)]
    [InlineData(2, 16, 64, 108, 192)]
    [InlineData(5, 4, 16, 1, 1)]
    [InlineData(2, 8, 32, 7, 64)]
    public void Masks_are_packed_bit_by_bit(int objects, int low, int side, int height, int width)
    {
        const int Tail = 5;
        int columns = low * low + Tail;
        float[] results = TestValues.Random(objects + height, objects * columns);
        // Around zero the sigmoid decides, not the sign.
        for (int i = 0; i < low * low; i++) results[i] *= 1e-7f;
        var expected = new List<int>();
        for (int o = 0; o < objects; o++)
        {
            float[] logits = results[(o * columns)..(o * columns + low * low)];
            expected.AddRange(Bits(Bilinear(Bilinear(logits, low, low, side, side), side, side, height, width), height, width));
            expected.Add(1);
            expected.AddRange(results[(o * columns + low * low)..((o + 1) * columns)].Select(BitConverter.SingleToInt32Bits));
        }
        new GuardedOp().Floats(new Shape(objects, columns), results).Gives(expected.ToArray(),
            (g, t) => g.PackMasks(t[0], low, side, height, width));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(16)]
    public void Logits_that_are_not_finite_are_told(int at)
    {
        foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            float[] results = TestValues.Random(1, 2 * 17);
            results[17 + at] = bad;
            // The last column is no logit.
            new GuardedOp().Floats(new Shape(2, 17), results).Satisfies<int>(2 * 6, (g, t, _) => g.PackMasks(t[0], 4, 8, 4, 20),
                words => Assert.Equal((1, at < 16 ? 0 : 1), (words[4], words[10])));
        }
    }

    [Theory]
    [InlineData(0f, 0)]
    [InlineData(5e-8f, 0)]
    [InlineData(2e-7f, 1)]
    [InlineData(-1e-3f, 0)]
    [InlineData(1e-3f, 1)]
    [InlineData(float.NaN, 0)]
    public void Inside_means_that_the_sigmoid_rounds_above_one_half(float logit, int inside) =>
        new GuardedOp().Floats(new Shape(1, 64), [.. Enumerable.Repeat(logit, 64)]).Satisfies<int>(2 + 1,
            (g, t, _) => g.PackMasks(t[0], 8, 32, 2, 9), words => Assert.All(words[..2], w => Assert.Equal(inside * 0x1ff, w)));

    [Fact]
    public void The_threshold_is_where_the_sigmoid_first_rounds_above_one_half()
    {
        int threshold = BitConverter.SingleToInt32Bits(PackMasks.Threshold);
        float[] logits = [.. Enumerable.Range(threshold - 1000, 2001).Select(BitConverter.Int32BitsToSingle)];
        // A picture of one pixel, so that no resize changes the logit.
        new GuardedOp().Floats(new Shape(logits.Length, 1), logits).Gives<int>(
            [.. logits.SelectMany(x => (int[])[1 / (1 + (float)Math.Exp(-(double)x)) > 0.5f ? 1 : 0, 1])],
            (g, t) => g.PackMasks(t[0], 1, 1, 1, 1));
    }

    [Fact]
    public void Only_the_valid_rows_are_packed()
    {
        float[] results = TestValues.Random(1, 4 * 17);
        for (int i = 2 * 17; i < results.Length; i++) results[i] = float.NaN;
        new GuardedOp().Floats(new Shape(4, 17), results).Scalar("objects", 4, 2).Satisfies<int>(2 * 6,
            (g, t, s) => g.PackMasks(g.Reshape(t[0], t[0].Shape, s[0]), 4, 8, 4, 20), words => Assert.Equal((1, 1), (words[4], words[10])));
    }

    [Fact]
    public void What_does_not_fit_is_refused_while_recording()
    {
        var g = new GraphBuilder("test", new TestWeights());
        Tensor bytes = g.Input("bytes", DType.U8, new Shape(4, 4, 3)), grey = g.Input("grey", DType.U8, new Shape(4, 4, 1)),
            floats = g.Input("floats", DType.F32, new Shape(4, 4, 3)), results = g.Input("results", DType.F32, new Shape(2, 17));
        foreach (Action wrong in (Action[])
        [
            () => g.PillowResize(grey, 2, 2), () => g.PillowResize(floats, 2, 2), () => g.PillowResize(bytes, 0, 2),
            () => g.PackMasks(results, 5, 20, 4, 4), () => g.PackMasks(results, 4, 16, 0, 4), () => g.PackMasks(floats, 1, 4, 4, 4),
            () => g.PackMasks(results, 4, 16, int.MaxValue, int.MaxValue),
        ]) Assert.Throws<GraphException>(wrong);
    }

    /// <summary>Pillow's ImagingResample with its bicubic filter, as its source has it.</summary>
    private static byte[] Pillow(byte[] source, int h, int w, int h2, int w2)
    {
        byte[] wide = w == w2 ? source : new byte[h * w2 * 3];
        if (w != w2)
            for (int x = 0; x < w2; x++)
            {
                (int first, int[] weights) = Weights(w, w2, x);
                for (int y = 0; y < h; y++)
                    for (int c = 0; c < 3; c++) wide[(y * w2 + x) * 3 + c] = Sum(weights, k => source[(y * w + first + k) * 3 + c]);
            }
        if (h == h2) return wide;
        var result = new byte[h2 * w2 * 3];
        for (int y = 0; y < h2; y++)
        {
            (int first, int[] weights) = Weights(h, h2, y);
            for (int i = 0; i < w2 * 3; i++) result[y * w2 * 3 + i] = Sum(weights, k => wide[(first + k) * w2 * 3 + i]);
        }
        return result;

        static byte Sum(int[] weights, Func<int, byte> value)
        {
            long sum = 1 << 21;
            for (int k = 0; k < weights.Length; k++) sum += (long)weights[k] * value(k);
            return (byte)Math.Clamp(sum >> 22, 0, 255);
        }

        static (int First, int[] Weights) Weights(int from, int to, int i)
        {
            double scale = (double)from / to, filter = Math.Max(scale, 1), support = 2 * filter, center = (i + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0), end = Math.Min((int)(center + support + 0.5), from);
            double[] weights = [.. Enumerable.Range(first, end - first).Select(k => Cubic((k - center + 0.5) / filter))];
            double total = 0;
            foreach (double v in weights) total += v;
            return (first, [.. weights.Select(v => (int)Math.Round(v / total * (1 << 22), MidpointRounding.AwayFromZero))]);
        }

        static double Cubic(double x) => Math.Abs(x) switch
        {
            < 1 and var v => (1.5 * v - 2.5) * v * v + 1,
            < 2 and var v => ((-0.5 * v + 2.5) * v - 4) * v + 2,
            _ => 0,
        };
    }

    private static float[] Bilinear(float[] map, int h, int w, int h2, int w2)
    {
        var result = new float[h2 * w2];
        for (int y = 0; y < h2; y++)
            for (int x = 0; x < w2; x++)
            {
                (int top, int bottom, float v) = Taps(h, h2, y);
                (int left, int right, float u) = Taps(w, w2, x);
                float a = (1 - u) * map[top * w + left] + u * map[top * w + right];
                float b = (1 - u) * map[bottom * w + left] + u * map[bottom * w + right];
                result[y * w2 + x] = a * (1 - v) + b * v;
            }
        return result;

        static (int First, int Second, float Weight) Taps(int from, int to, int i)
        {
            float source = MathF.Max(MathF.FusedMultiplyAdd((float)from / to, i + 0.5f, -0.5f), 0);
            int first = Math.Min((int)source, from - 1);
            return (first, Math.Min(first + 1, from - 1), source - first);
        }
    }

    private static int[] Bits(float[] map, int height, int width)
    {
        int words = (width + 31) / 32;
        var bits = new int[height * words];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                if (1 / (1 + MathF.Exp(-map[y * width + x])) > 0.5f) bits[y * words + x / 32] |= 1 << (x % 32);
        return bits;
    }
}
