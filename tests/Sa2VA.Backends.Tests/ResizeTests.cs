using Sa2VA.Core;

namespace Sa2VA.Tests;

public class ResizeTests
{
    /// <summary>Samples beyond an edge that a filter can ask for.</summary>
    private const int Reach = 3;

    public static TheoryData<int, int, int, int, int> Sizes => new()
    {
        { 1, 1, 1, 1, 1 }, { 1, 1, 5, 7, 3 }, { 7, 5, 7, 5, 2 }, { 7, 5, 14, 10, 1 }, { 13, 17, 5, 31, 17 }, { 31, 29, 8, 7, 1 },
            { 16, 16, 37, 41, 33 }, { 48, 48, 192, 192, 1 },
        { 64, 64, 16, 16, 4 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Nearest(int height, int width, int toHeight, int toWidth, int channels)
    {
        float[] x = TestValues.Random(1, height * width * channels);
        float[] expected = [.. Enumerable.Range(0, toHeight * toWidth * channels).Select(i =>
        {
            int c = i % channels, y = i / channels / toWidth * height / toHeight, z = i / channels % toWidth * width / toWidth;
            return x[(y * width + z) * channels + c];
        })];
        new GuardedOp().Floats(new Shape(height, width, channels), x)
            .Gives(expected, (g, t) => g.Resize(t[0], toHeight, toWidth, ResizeMode.Nearest));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Bilinear(int height, int width, int toHeight, int toWidth, int channels) =>
        Check(ResizeMode.Bilinear, height, width, toHeight, toWidth, channels,
            (source, i, n) => Math.Max(0, 1 - Math.Abs(Math.Max(source, 0) - i)),
            (source, i, n) => MathF.Max(0, 1 - MathF.Abs(MathF.Max(source, 0) - i)));

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Bicubic(int height, int width, int toHeight, int toWidth, int channels) =>
        Check(ResizeMode.Bicubic, height, width, toHeight, toWidth, channels,
            (source, i, n) => Cubic(Math.Abs(source - i)), (source, i, n) => CubicF(MathF.Abs(source - i)));

    [Theory]
    [MemberData(nameof(Sizes))]
    public void BilinearAntialias(int height, int width, int toHeight, int toWidth, int channels) =>
        Check(ResizeMode.BilinearAntialias, height, width, toHeight, toWidth, channels,
            (source, i, scale) => Math.Max(0, 1 - Math.Abs(source - i) / Math.Max(scale, 1)),
            (source, i, scale) => MathF.Max(0, 1 - MathF.Abs(source - i) / MathF.Max(scale, 1)));

    [Theory]
    [InlineData(2, 2, 1)]
    [InlineData(6, 4, 5)]
    [InlineData(32, 32, 120)]
    public void PixelShuffle(int height, int width, int channels)
    {
        float[] x = TestValues.Random(1, height * width * channels);
        int rows = height / 2, columns = width / 2;
        foreach (bool transposed in (bool[])[false, true])
        {
            float[] expected = [.. Enumerable.Range(0, x.Length).Select(i =>
            {
                int token = i / (4 * channels), part = i / channels % 4, c = i % channels;
                (int y, int z) = transposed ? (token % rows, token / rows) : (token / columns, token % columns);
                return x[((2 * y + part / 2) * width + 2 * z + part % 2) * channels + c];
            })];
            new GuardedOp().Floats(new Shape(height, width, channels), x).Gives(expected, (g, t) => g.PixelShuffle(t[0], transposed));
        }
    }

    /// <summary>
    /// A separable filter by its definition: weight(source position, sample, scale), samples outside the map repeating its edge (or, for
    /// the antialiased filter, left out and the rest normalised).
    /// </summary>
    private static void Check(ResizeMode mode, int height, int width, int toHeight, int toWidth, int channels,
        Func<double, int, double, double> weight, Func<float, int, float, float> weightF)
    {
        float[] x = TestValues.Random(1, height * width * channels);
        (double[,] v, float[,] vF) = Matrix(height, toHeight);
        (double[,] h, float[,] hF) = Matrix(width, toWidth);
        var reference = new double[toHeight * toWidth * channels];
        var naive = new float[reference.Length];
        var row = new double[height * toWidth * channels];
        var rowF = new float[row.Length];
        for (int i = 0; i < row.Length; i++)
            for (int k = -Reach; k < width + Reach; k++)
            {
                float sample = x[(i / channels / toWidth * width + Math.Clamp(k, 0, width - 1)) * channels + i % channels];
                row[i] += h[i / channels % toWidth, k + Reach] * sample;
                rowF[i] += hF[i / channels % toWidth, k + Reach] * sample;
            }
        for (int i = 0; i < reference.Length; i++)
            for (int k = -Reach; k < height + Reach; k++)
            {
                int at = Math.Clamp(k, 0, height - 1) * toWidth * channels + i % (toWidth * channels);
                reference[i] += v[i / (toWidth * channels), k + Reach] * row[at];
                naive[i] += vF[i / (toWidth * channels), k + Reach] * rowF[at];
            }
        new GuardedOp().Floats(new Shape(height, width, channels), x)
            .Follows(reference, naive, $"{mode} {height}×{width}→{toHeight}×{toWidth}",
            (g, t) => g.Resize(t[0], toHeight, toWidth, mode));

        (double[,], float[,]) Matrix(int input, int output)
        {
            var exact = new double[output, input + 2 * Reach];
            var single = new float[output, input + 2 * Reach];
            bool edges = mode != ResizeMode.BilinearAntialias;
            for (int o = 0; o < output; o++)
            {
                double scale = (double)input / output, source = scale * (o + 0.5) - 0.5, sum = 0;
                float scaleF = (float)input / output, sourceF = MathF.FusedMultiplyAdd(scaleF, o + 0.5f, -0.5f), sumF = 0;
                for (int k = edges ? -Reach : 0; k < input + (edges ? Reach : 0); k++)
                {
                    sum += exact[o, k + Reach] = weight(source, k, scale);
                    sumF += single[o, k + Reach] = weightF(sourceF, k, scaleF);
                }
                for (int k = 0; k < input && !edges; k++)
                    (exact[o, k + Reach], single[o, k + Reach]) = (exact[o, k + Reach] / sum, single[o, k + Reach] / sumF);
            }
            return (exact, single);
        }
    }

    private static double Cubic(double d) => d <= 1 ? (1.25 * d - 2.25) * d * d + 1 : d < 2 ? ((-0.75 * d + 3.75) * d - 6) * d + 3 : 0;

    private static float CubicF(float d) => d <= 1 ? (1.25f * d - 2.25f) * d * d + 1 : d < 2 ? ((-0.75f * d + 3.75f) * d - 6) * d + 3 : 0;
}
