using Sa2VA.Core;

namespace Sa2VA.Tests;

public class NormTests
{
    /// <summary>One element, around the sixteen lanes of a reduction, primes, and widths of released models.</summary>
    public static TheoryData<int, int> Shapes =>
        new() { { 1, 1 }, { 3, 2 }, { 2, 15 }, { 2, 16 }, { 5, 17 }, { 7, 31 }, { 3, 97 }, { 4, 144 }, { 33, 257 }, { 3, 896 },
        { 2, 3200 }, { 1, 6144 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void LayerNorm(int rows, int width)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("n.weight", DType.BF16, new Shape(width), TestValues.Random(1, width));
        float[] b = weights.Add("n.bias", DType.F32, new Shape(width), TestValues.Random(2, width));
        float[] x = [.. TestValues.Random(3, (long)rows * width, 3).Select(v => v + 0.7f)];
        foreach (Activation activation in (Activation[])[Activation.None, Activation.Gelu])
        {
            var reference = new double[x.Length];
            var naive = new float[x.Length];
            for (int r = 0; r < rows; r++)
            {
                double mean = 0, variance = 0;
                float meanF = 0, varianceF = 0;
                for (int c = 0; c < width; c++) (mean, meanF) = (mean + x[r * width + c], meanF + x[r * width + c]);
                (mean, meanF) = (mean / width, meanF / width);
                for (int c = 0; c < width; c++)
                {
                    double d = x[r * width + c] - mean;
                    float f = x[r * width + c] - meanF;
                    (variance, varianceF) = (variance + d * d, varianceF + f * f);
                }
                double scale = 1 / Math.Sqrt(variance / width + 1e-6f);
                float scaleF = 1 / MathF.Sqrt(varianceF / width + 1e-6f);
                for (int c = 0; c < width; c++)
                {
                    reference[r * width + c] = Reference.Activate((x[r * width + c] - mean) * scale * w[c] + b[c], activation);
                    naive[r * width + c] = Reference.Activate((x[r * width + c] - meanF) * scaleF * w[c] + b[c], activation);
                }
            }
            new GuardedOp(weights).Floats(new Shape(rows, width), x).Follows(reference, naive, $"layer norm {rows}×{width} {activation}",
                (g, t) => g.LayerNorm(t[0], g.At("n"), 1e-6f, activation));
        }
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void RmsNorm(int rows, int width)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("n.weight", DType.F16, new Shape(width), TestValues.Random(1, width));
        float[] x = TestValues.Random(3, (long)rows * width, 5);
        var reference = new double[x.Length];
        var naive = new float[x.Length];
        for (int r = 0; r < rows; r++)
        {
            double square = 0;
            float squareF = 0;
            for (int c = 0; c < width; c++)
                (square, squareF) = (square + (double)x[r * width + c] * x[r * width + c], squareF + x[r * width + c] * x[r * width + c]);
            double scale = 1 / Math.Sqrt(square / width + 1e-5f);
            float scaleF = 1 / MathF.Sqrt(squareF / width + 1e-5f);
            for (int c = 0; c < width; c++)
                (reference[r * width + c], naive[r * width + c]) = (x[r * width + c] * scale * w[c], x[r * width + c] * scaleF * w[c]);
        }
        new GuardedOp(weights).Floats(new Shape(rows, width), x)
            .Follows(reference, naive, $"RMS norm {rows}×{width}", (g, t) => g.RmsNorm(t[0], g.At("n"), 1e-5f));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Softmax(int rows, int width)
    {
        float[] x = TestValues.Random(3, (long)rows * width, 8);
        // One row far from zero, where exp would overflow without the shift.
        for (int c = 0; c < width; c++) x[c] += 500;
        var reference = new double[x.Length];
        var naive = new float[x.Length];
        for (int r = 0; r < rows; r++)
        {
            float max = x.AsSpan(r * width, width).ToArray().Max();
            double sum = 0;
            float sumF = 0;
            for (int c = 0; c < width; c++)
            {
                sum += reference[r * width + c] = Math.Exp((double)x[r * width + c] - max);
                sumF += naive[r * width + c] = MathF.Exp(x[r * width + c] - max);
            }
            for (int c = 0; c < width; c++)
                (reference[r * width + c], naive[r * width + c]) = (reference[r * width + c] / sum, naive[r * width + c] / sumF);
        }
        new GuardedOp().Floats(new Shape(rows, width), x).Follows(reference, naive, $"softmax {rows}×{width}", (g, t) => g.Softmax(t[0]));
    }

    [Fact]
    public void Equal_elements_normalise_exactly()
    {
        var weights = new TestWeights();
        weights.Add("n.weight", DType.F32, new Shape(32), TestValues.Random(1, 32));
        float[] bias = weights.Add("n.bias", DType.F32, new Shape(32), TestValues.Random(2, 32));
        float[] threes = new float[64];
        Array.Fill(threes, 3);
        // No variance: the bias alone is left. A softmax of 32 equal numbers: 1/32 each.
        new GuardedOp(weights).Floats(new Shape(2, 32), threes)
            .Gives<float>([.. bias, .. bias], (g, t) => g.LayerNorm(t[0], g.At("n"), 1e-6f));
        float[] even = new float[64];
        Array.Fill(even, 1f / 32);
        new GuardedOp().Floats(new Shape(2, 32), threes).Gives(even, (g, t) => g.Softmax(t[0]));
    }

    [Fact]
    public void Views_with_gaps_and_run_time_lengths_are_honoured()
    {
        float[] x = TestValues.Random(1, 5 * 48, 2);
        float[] middle = [.. Enumerable.Range(0, 5 * 17).Select(i => x[i / 17 * 48 + 13 + i % 17])];
        var reference = new double[3 * 17];
        var naive = new float[3 * 17];
        for (int r = 0; r < 3; r++)
        {
            double sum = 0;
            float sumF = 0;
            for (int c = 0; c < 17; c++) (sum, sumF) = (sum + Math.Exp(middle[r * 17 + c]), sumF + MathF.Exp(middle[r * 17 + c]));
            for (int c = 0; c < 17; c++)
                (reference[r * 17 + c], naive[r * 17 + c]) = (Math.Exp(middle[r * 17 + c]) / sum, MathF.Exp(middle[r * 17 + c]) / sumF);
        }
        // Three of five rows count in this run; the result's other two must not be touched.
        new GuardedOp().Floats(new Shape(5, 48), x).Scalar("n", 5, 3).Follows(reference, naive, "softmax of a view",
            (g, t, s) => g.Softmax(g.SliceChannels(g.Reshape(t[0], t[0].Shape, s[0]), 13, 17)));
    }
}
