using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

public class LinearTests
{
    public static TheoryData<int, int, int, DType> Shapes()
    {
        var data = new TheoryData<int, int, int, DType>();
        foreach (DType type in (DType[])[DType.F32, DType.BF16, DType.F16])
        {
            data.Add(1, 1, 1, type);
            data.Add(1, 33, 257, type);
            data.Add(2, 31, 7, type);
            data.Add(13, 97, 300, type);
            data.Add(200, 64, 256, type);
            data.Add(61, 131, 523, type);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void FollowsFloat64RuleAndKeepsItsBits(int m, int n, int k, DType type)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("w", type, new Shape(n, k), OpRunner.Random(1, (long)n * k));
        float[] b = weights.Add("b", DType.F32, new Shape(n), OpRunner.Random(2, n));
        float[] s = weights.Add("s", DType.F32, new Shape(n), OpRunner.Random(3, n));
        float[] x = OpRunner.Random(4, (long)m * k), r = OpRunner.Random(5, (long)m * n);
        foreach (Activation activation in (Activation[])[Activation.None, Activation.Relu, Activation.Silu])
        {
            var reference = new double[m * n];
            var naive = new float[m * n];
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    double sum = b[j];
                    float plain = 0;
                    for (int l = 0; l < k; l++)
                    {
                        sum += (double)x[i * k + l] * w[j * k + l];
                        plain += x[i * k + l] * w[j * k + l];
                    }
                    plain += b[j];
                    reference[i * n + j] = r[i * n + j] + s[j] * Apply(sum, activation);
                    naive[i * n + j] = r[i * n + j] + s[j] * (float)Apply(plain, activation);
                }
            }
            float[]? bits = null;
            foreach (SimdLevel level in CpuFeatures.Available)
            {
                foreach (int threads in (int[])[1, 2, 4])
                {
                    using var runner = new OpRunner(new CpuOptions { Simd = level, Threads = threads });
                    float[] y = Run(runner, weights, m, n, k, x, r, activation);
                    Float64Rule.Check(reference, naive, y, $"linear {m}×{n}×{k} {type} {activation} {level}");
                    bits ??= y;
                    Assert.Equal(bits, y);
                }
            }
            // A row alone has the bits it has among others.
            using var single = new OpRunner(new CpuOptions { Threads = 1 });
            float[] first = Run(single, weights, 1, n, k, x[..k], r[..n], activation);
            Assert.Equal(bits![..n], first);
        }
    }

    private static float[] Run(OpRunner runner, TestWeights weights, int m, int n, int k, float[] x, float[] r, Activation activation) =>
        runner.Run(weights, [(new Shape(m, k), x), (new Shape(m, n), r)],
            (g, t) => g.Linear(t[0], g.Weight("w"), g.Weight("b"), activation, g.Weight("s"), t[1]));

    private static double Apply(double x, Activation activation) => activation switch
    {
        Activation.Relu => Math.Max(x, 0),
        Activation.Silu => x / (1 + Math.Exp(-x)),
        _ => x,
    };
}
