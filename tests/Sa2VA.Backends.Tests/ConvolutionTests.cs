using Sa2VA.Core;

namespace Sa2VA.Tests;

public class ConvolutionTests
{
    [Theory]
    [InlineData(1, 1, 1, 1, 1, 1, 0, DType.F32, true)]
    [InlineData(5, 7, 3, 4, 3, 2, 1, DType.BF16, true)]
    [InlineData(13, 11, 5, 33, 3, 1, 1, DType.F16, false)]
    [InlineData(9, 17, 2, 31, 7, 4, 3, DType.F32, true)]
    [InlineData(4, 4, 1, 4, 2, 2, 0, DType.BF16, true)]
    [InlineData(2, 3, 3, 5, 7, 4, 3, DType.F32, true)]
    [InlineData(28, 42, 3, 40, 14, 14, 0, DType.BF16, true)]
    [InlineData(24, 24, 3, 144, 7, 4, 3, DType.BF16, true)]
    [InlineData(30, 26, 16, 64, 3, 2, 1, DType.BF16, true)]
    public void Conv2d(int height, int width, int inputs, int outputs, int kernel, int stride, int padding, DType type, bool hasBias)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("c.weight", type, new Shape(outputs, inputs, kernel, kernel),
            TestValues.Random(1, outputs * inputs * kernel * kernel));
        float[] b = hasBias ? weights.Add("c.bias", DType.F32, new Shape(outputs), TestValues.Random(2, outputs)) : new float[outputs];
        float[] x = TestValues.Random(3, height * width * inputs);
        int h = (height + 2 * padding - kernel) / stride + 1, v = (width + 2 * padding - kernel) / stride + 1;
        var reference = new double[h * v * outputs];
        var naive = new float[reference.Length];
        for (int i = 0; i < reference.Length; i++)
        {
            int o = i % outputs, top = i / outputs / v * stride - padding, left = i / outputs % v * stride - padding;
            for (int ky = 0; ky < kernel; ky++)
                for (int kx = 0; kx < kernel; kx++)
                {
                    if (top + ky < 0 || top + ky >= height || left + kx < 0 || left + kx >= width) continue;
                    for (int c = 0; c < inputs; c++)
                    {
                        float a = x[((top + ky) * width + left + kx) * inputs + c], f = w[((o * inputs + c) * kernel + ky) * kernel + kx];
                        reference[i] += (double)a * f;
                        naive[i] += a * f;
                    }
                }
            reference[i] += b[o];
            naive[i] += b[o];
        }
        new GuardedOp(weights).Floats(new Shape(height, width, inputs), x)
            .Follows(reference, naive, $"convolution {height}×{width}×{inputs}→{outputs} by {kernel}",
            (g, t) => g.Conv2d(t[0], g.At("c"), outputs, kernel, stride, padding, hasBias));
    }

    [Theory]
    [InlineData(1, 1, 1, 7)]
    [InlineData(5, 7, 17, 7)]
    [InlineData(12, 3, 33, 3)]
    [InlineData(2, 9, 15, 5)]
    [InlineData(16, 16, 256, 7)]
    public void DepthwiseConv2d(int height, int width, int channels, int kernel)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("c.weight", DType.BF16, new Shape(channels, 1, kernel, kernel),
            TestValues.Random(1, channels * kernel * kernel));
        float[] b = weights.Add("c.bias", DType.F32, new Shape(channels), TestValues.Random(2, channels));
        float[] x = TestValues.Random(3, height * width * channels);
        var reference = new double[x.Length];
        var naive = new float[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            int c = i % channels, top = i / channels / width - kernel / 2, left = i / channels % width - kernel / 2;
            (reference[i], naive[i]) = (b[c], b[c]);
            for (int ky = 0; ky < kernel; ky++)
                for (int kx = 0; kx < kernel; kx++)
                {
                    if (top + ky < 0 || top + ky >= height || left + kx < 0 || left + kx >= width) continue;
                    float a = x[((top + ky) * width + left + kx) * channels + c], f = w[(c * kernel + ky) * kernel + kx];
                    reference[i] += (double)a * f;
                    naive[i] += a * f;
                }
        }
        new GuardedOp(weights).Floats(new Shape(height, width, channels), x)
            .Follows(reference, naive, $"depthwise {height}×{width}×{channels} by {kernel}",
            (g, t) => g.DepthwiseConv2d(t[0], g.At("c"), kernel));
    }

    [Theory]
    [InlineData(1, 1, 1, 1, true, false)]
    [InlineData(3, 5, 7, 3, true, true)]
    [InlineData(13, 11, 33, 9, false, true)]
    [InlineData(12, 12, 256, 64, true, true)]
    [InlineData(10, 20, 64, 32, true, false)]
    public void ConvTranspose2d(int height, int width, int inputs, int outputs, bool hasBias, bool hasResidual)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("c.weight", DType.BF16, new Shape(inputs, outputs, 2, 2), TestValues.Random(1, outputs * inputs * 4));
        float[] b = hasBias ? weights.Add("c.bias", DType.F32, new Shape(outputs), TestValues.Random(2, outputs)) : new float[outputs];
        float[] x = TestValues.Random(3, height * width * inputs),
            r = hasResidual ? TestValues.Random(4, 4 * height * width * outputs) : new float[4 * height * width * outputs];
        var reference = new double[r.Length];
        var naive = new float[r.Length];
        for (int i = 0; i < r.Length; i++)
        {
            int o = i % outputs, y = i / outputs / (2 * width), z = i / outputs % (2 * width);
            for (int c = 0; c < inputs; c++)
            {
                float a = x[(y / 2 * width + z / 2) * inputs + c], f = w[((c * outputs + o) * 2 + y % 2) * 2 + z % 2];
                reference[i] += (double)a * f;
                naive[i] += a * f;
            }
            reference[i] += (double)b[o] + r[i];
            naive[i] = naive[i] + b[o] + r[i];
        }
        var residual = new Shape(2 * height, 2 * width, outputs);
        new GuardedOp(weights).Floats(new Shape(height, width, inputs), x).Floats(residual, r)
            .Follows(reference, naive, $"transposed {height}×{width}×{inputs}→{outputs}",
            (g, t) => g.ConvTranspose2d(t[0], g.At("c"), outputs, hasResidual ? t[1] : null, hasBias));
    }

    [Theory]
    [InlineData(2, 2, 1)]
    [InlineData(5, 7, 17)]
    [InlineData(16, 9, 33)]
    [InlineData(32, 32, 144)]
    public void MaxPool2d(int height, int width, int channels)
    {
        float[] x = TestValues.Random(1, height * width * channels);
        int v = width / 2;
        float[] expected = [.. Enumerable.Range(0, height / 2 * v * channels).Select(i =>
        {
            int c = i % channels, y = i / channels / v, z = i / channels % v;
            return Enumerable.Range(0, 4).Max(j => x[((2 * y + j / 2) * width + 2 * z + j % 2) * channels + c]);
        })];
        new GuardedOp().Floats(new Shape(height, width, channels), x).Gives(expected, (g, t) => g.MaxPool2d(t[0]));
    }
}
