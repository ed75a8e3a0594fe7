using Sa2VA.Core;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Tracking;

/// <summary>The two chained resizes against the rule written down for whole maps, and masks as bits.</summary>
public sealed class MaskResamplerTests
{
    [Theory]
    [InlineData(8, 32, 50, 90)]
    [InlineData(8, 32, 7, 3)]
    [InlineData(12, 48, 1, 1)]
    [InlineData(32, 128, 128, 128)]
    [InlineData(32, 128, 127, 257)]
    public void Row_by_row_equals_map_by_map(int lowSide, int imageSize, int height, int width)
    {
        var random = new Random(7);
        float[] low = [.. Enumerable.Range(0, lowSide * lowSide).Select(_ => random.NextSingle() * 20 - 10)];
        float[] expected = Bilinear(Bilinear(low, lowSide, lowSide, imageSize, imageSize), imageSize, imageSize, height, width);

        var resampler = new MaskResampler(lowSide, imageSize);
        var logits = new float[height * width];
        resampler.Logits(low, height, width, logits);
        Assert.Equal(expected, logits);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 5)]
    [InlineData(32, 3)]
    [InlineData(33, 4)]
    [InlineData(71, 2)]
    [InlineData(1920, 3)]
    public void Bits_become_pixels(int width, int height)
    {
        var random = new Random(width);
        byte[] expected = [.. Enumerable.Range(0, width * height).Select(_ => (byte)random.Next(2))];
        int words = (width + 31) / 32;
        var bits = new int[height * words];
        for (int i = 0; i < expected.Length; i++) bits[i / width * words + i % width / 32] |= expected[i] << (i % width % 32);
        var pixels = new byte[expected.Length];
        Array.Fill(pixels, (byte)9);
        Assert.Equal(expected.Count(p => p == 1), MaskBits.Expand(bits, width, height, pixels));
        Assert.Equal(expected, pixels);
    }

    [Fact]
    public void A_warm_call_allocates_nothing_and_sizes_may_change()
    {
        var resampler = new MaskResampler(8, 32);
        var low = new float[64];
        var logits = new float[60 * 90];
        resampler.Logits(low, 50, 90, logits);
        resampler.Logits(low, 60, 90, logits);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20; i++) resampler.Logits(low, 60, 90, logits);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Theory]
    [InlineData(64, 0, 5)]
    [InlineData(64, 5, -1)]
    [InlineData(64, 9, 9)]
    [InlineData(63, 5, 5)]
    public void Wrong_sizes_are_refused(int lowLength, int height, int width) =>
        Assert.Throws<MediaException>(() => new MaskResampler(8, 32).Logits(new float[lowLength], height, width, new float[64]));

    private static float[] Bilinear(float[] source, int fromHeight, int fromWidth, int height, int width)
    {
        var result = new float[height * width];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                (int y0, int y1, float h0, float h1) = Tap(y, fromHeight, height);
                (int x0, int x1, float w0, float w1) = Tap(x, fromWidth, width);
                result[y * width + x] = h0 * (w0 * source[y0 * fromWidth + x0] + w1 * source[y0 * fromWidth + x1])
                    + h1 * (w0 * source[y1 * fromWidth + x0] + w1 * source[y1 * fromWidth + x1]);
            }
        return result;

        static (int, int, float, float) Tap(int i, int from, int to)
        {
            float position = MathF.Max(MathF.FusedMultiplyAdd((float)from / to, i + 0.5f, -0.5f), 0);
            int first = (int)position;
            float weight = position - first;
            return (first, Math.Min(first + 1, from - 1), 1 - weight, weight);
        }
    }
}
