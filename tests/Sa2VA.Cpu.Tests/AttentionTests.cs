using Sa2VA.Core;
using Sa2VA.Cpu;

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
    public void FlashAttentionFollowsFloat64Rule(int n, int m, int d, int e, int heads, int kvHeads, bool causal)
    {
        float scale = 1 / MathF.Sqrt(d);
        float[] q = OpRunner.Random(1, (long)n * heads * d, 3), k = OpRunner.Random(2, (long)m * kvHeads * d, 3), v = OpRunner.Random(3, (long)m * kvHeads * e);
        (double[] reference, float[] naive) = Reference(q, k, v, n, m, d, e, heads, kvHeads, scale, causal ? 0 : null);
        float[]? bits = null;
        foreach (SimdLevel level in CpuFeatures.Available)
        {
            foreach (int threads in (int[])[1, 2, 5])
            {
                using var runner = new OpRunner(new CpuOptions { Simd = level, Threads = threads });
                float[] y = runner.Run(new TestWeights(), [(new Shape(n, heads * d), q), (new Shape(m, kvHeads * d), k), (new Shape(m, kvHeads * e), v)],
                    (g, t) => g.FlashAttention(t[0], t[1], t[2], heads, kvHeads, scale, causal));
                Float64Rule.Check(reference, naive, y, $"attention {n}×{m} d={d} {level}");
                bits ??= y;
                Assert.Equal(bits, y);
            }
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
    public void WindowAttentionEqualsAttentionOfGatheredWindows(int height, int width, int window, int heads, int d, bool pool, bool hasBias)
    {
        int c = heads * d;
        float scale = 1 / MathF.Sqrt(d);
        float[] x = OpRunner.Random(1, (long)height * width * 3 * c);
        var weights = new TestWeights();
        float[] bias = hasBias ? weights.Add("b", DType.F32, new Shape(3 * c), OpRunner.Random(2, 3 * c)) : new float[3 * c];
        int by = pool ? 2 : 1, outHeight = height / by, outWidth = width / by;
        var reference = new double[outHeight * outWidth * c];
        var naive = new float[reference.Length];
        for (int top = 0; top < height; top += window)
        {
            for (int left = 0; left < width; left += window)
            {
                float[] Token(int y, int xx, int part) => [.. Enumerable.Range(part * c, c).Select(i => top + y < height && left + xx < width ? x[((top + y) * width + left + xx) * 3 * c + i] : bias[i])];
                int area = window * window, side = window / by;
                float[] k = [.. Enumerable.Range(0, area).SelectMany(i => Token(i / window, i % window, 1))];
                float[] v = [.. Enumerable.Range(0, area).SelectMany(i => Token(i / window, i % window, 2))];
                float[] q = [.. Enumerable.Range(0, side * side).SelectMany(i =>
                {
                    if (!pool) return Token(i / side, i % side, 0);
                    float[][] four = [.. Enumerable.Range(0, 4).Select(j => Token(2 * (i / side) + j / 2, 2 * (i % side) + j % 2, 0))];
                    return [.. Enumerable.Range(0, c).Select(j => four.Max(f => f[j]))];
                })];
                (double[] r, float[] f) = Reference(q, k, v, side * side, area, d, d, heads, heads, scale, null);
                for (int i = 0; i < side * side; i++)
                {
                    int y = top / by + i / side, xx = left / by + i % side;
                    if (y >= outHeight || xx >= outWidth) continue;
                    Array.Copy(r, i * c, reference, (y * outWidth + xx) * c, c);
                    Array.Copy(f, i * c, naive, (y * outWidth + xx) * c, c);
                }
            }
        }
        foreach (SimdLevel level in CpuFeatures.Available)
        {
            using var runner = new OpRunner(new CpuOptions { Simd = level, Threads = 2 });
            float[] y = runner.Run(weights, [(new Shape(height, width, 3 * c), x)],
                (g, t) => g.WindowAttention(t[0], hasBias ? g.Weight("b") : null, heads, window, pool, scale));
            Float64Rule.Check(reference, naive, y, $"windows {height}×{width}/{window} d={d} {level}");
        }
    }

    [Theory]
    [InlineData(1, 16, 2, 1)]
    [InlineData(97, 64, 14, 2)]
    [InlineData(1000, 20, 3, 1)]
    [InlineData(33, 128, 8, 8)]
    public void DecodeAttentionFollowsFloat64RuleAndKeepsItsBits(int length, int d, int heads, int kvHeads)
    {
        float scale = 1 / MathF.Sqrt(d);
        float[] q = OpRunner.Random(1, (long)heads * d, 2), k = OpRunner.Random(2, (long)length * kvHeads * d, 2), v = OpRunner.Random(3, (long)length * kvHeads * d);
        (double[] reference, float[] naive) = Reference(q, k, v, 1, length, d, d, heads, kvHeads, scale, null);
        float[]? bits = null;
        foreach (SimdLevel level in CpuFeatures.Available)
        {
            foreach (int threads in (int[])[1, 3])
            {
                using var runner = new OpRunner(new CpuOptions { Simd = level, Threads = threads });
                float[] y = runner.Run(new TestWeights(), [(new Shape(1, heads * d), q), (new Shape(length, kvHeads * d), k), (new Shape(length, kvHeads * d), v)],
                    (g, t) => g.DecodeAttention(t[0], t[1], t[2], heads, kvHeads, scale));
                Float64Rule.Check(reference, naive, y, $"decode {length} d={d} {level}");
                bits ??= y;
                Assert.Equal(bits, y);
            }
        }
    }

    [Fact]
    public void ConstantValuesComeBackAndHiddenKeysLeaveNoTrace()
    {
        using var runner = new OpRunner(new CpuOptions { Threads = 2 });
        float[] ones = new float[50 * 16];
        Array.Fill(ones, 1);
        float[] y = runner.Run(new TestWeights(), [(new Shape(50, 16), OpRunner.Random(1, 800)), (new Shape(50, 16), OpRunner.Random(2, 800)), (new Shape(50, 16), ones)],
            (g, t) => g.FlashAttention(t[0], t[1], t[2], 2, 2, 0.25f));
        Assert.All(y, value => Assert.Equal(1, value, 1e-6f));

        // Causal: the first query sees the first key alone, so the value of that key comes back exactly.
        float[] v = OpRunner.Random(3, 800);
        y = runner.Run(new TestWeights(), [(new Shape(50, 16), OpRunner.Random(1, 800)), (new Shape(50, 16), OpRunner.Random(2, 800)), (new Shape(50, 16), v)],
            (g, t) => g.FlashAttention(t[0], t[1], t[2], 2, 2, 0.25f, causal: true));
        Assert.Equal(v[..16], y[..16]);
    }

    private static (double[] Reference, float[] Naive) Reference(float[] q, float[] k, float[] v, int n, int m, int d, int e, int heads, int kvHeads,
        float scale, int? start)
    {
        var reference = new double[n * heads * e];
        var naive = new float[n * heads * e];
        for (int h = 0; h < heads; h++)
        {
            int kv = h * kvHeads / heads;
            for (int i = 0; i < n; i++)
            {
                int visible = start is null ? m : Math.Min(m, start.Value + i + 1);
                var s = new double[visible];
                var f = new float[visible];
                for (int j = 0; j < visible; j++)
                {
                    for (int c = 0; c < d; c++)
                    {
                        s[j] += (double)q[(i * heads + h) * d + c] * k[(j * kvHeads + kv) * d + c];
                        f[j] += q[(i * heads + h) * d + c] * k[(j * kvHeads + kv) * d + c];
                    }
                    s[j] *= scale;
                    f[j] *= scale;
                }
                double max = s.Max(), sum = 0;
                float maxF = f.Max(), sumF = 0;
                for (int j = 0; j < visible; j++)
                {
                    sum += s[j] = Math.Exp(s[j] - max);
                    sumF += f[j] = MathF.Exp(f[j] - maxF);
                }
                for (int c = 0; c < e; c++)
                {
                    double o = 0;
                    float of = 0;
                    for (int j = 0; j < visible; j++)
                    {
                        o += s[j] * v[(j * kvHeads + kv) * e + c];
                        of += f[j] * v[(j * kvHeads + kv) * e + c];
                    }
                    reference[(i * heads + h) * e + c] = o / sum;
                    naive[(i * heads + h) * e + c] = of / sumF;
                }
            }
        }
        return (reference, naive);
    }
}
