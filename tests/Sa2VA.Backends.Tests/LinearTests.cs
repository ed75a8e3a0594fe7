using Sa2VA.Core;

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
            data.Add(6, 21, 2136, type);
        }
        // Few rows of a great depth.
        data.Add(16, 70, 904, DType.BF16);
        data.Add(9, 1301, 520, DType.BF16);
        data.Add(1, 2601, 520, DType.BF16);
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Linear(int m, int n, int k, DType type)
    {
        var weights = new TestWeights();
        float[] w = weights.Add("w", type, new Shape(n, k), TestValues.Random(1, (long)n * k));
        float[] b = weights.Add("b", DType.F32, new Shape(n), TestValues.Random(2, n));
        float[] s = weights.Add("s", DType.F32, new Shape(n), TestValues.Random(3, n));
        float[] x = TestValues.Random(4, (long)m * k), r = TestValues.Random(5, (long)m * n);
        // What a result becomes is none of the weights' type: all of it for one type, for the others something else with every shape.
        Activation[] activations = [Activation.None, Activation.Relu, Activation.Silu];
        if (type != DType.F32 && !FullRun.IsAsked) activations = [activations[(n + k) % 3]];
        foreach (Activation activation in activations)
        {
            var reference = new double[m * n];
            var naive = new float[m * n];
            for (int i = 0; i < reference.Length; i++)
            {
                int row = i / n, column = i % n;
                double sum = b[column];
                float plain = 0;
                for (int l = 0; l < k; l++)
                {
                    sum += (double)x[row * k + l] * w[column * k + l];
                    plain += x[row * k + l] * w[column * k + l];
                }
                reference[i] = r[i] + s[column] * Reference.Activate(sum, activation);
                naive[i] = r[i] + s[column] * (float)Reference.Activate((double)(plain + b[column]), activation);
            }
            var op = new GuardedOp(weights).Floats(new Shape(m, k), x).Floats(new Shape(m, n), r);
            op.Follows(reference, naive, $"linear {m}×{n}×{k} {type} {activation}", (g, t) => Record(g, t[0], t[1]));

            // A row alone has the bits that it has among others.
            foreach (string family in TestBackend.Families)
                op.Briefly((m + 1) * n,
                    (g, t, _) => g.Concat([Record(g, t[0], t[1]), Record(g, g.SliceRows(t[0], m / 2, 1), g.SliceRows(t[1], m / 2, 1))]),
                    y => Assert.Equal(y[(m / 2 * n)..((m / 2 + 1) * n)], y[(m * n)..]), family);

            Tensor Record(GraphBuilder g, Tensor input, Tensor residual) =>
                g.Linear(input, g.Weight("w"), g.Weight("b"), activation, g.Weight("s"), residual);
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Matrices_are_BF16_in_a_BF16_backend_and_vectors_stay_as_they_are(DType type)
    {
        const int M = 3, N = 45, K = 77;
        var weights = new TestWeights();
        float[] w = [.. weights.Add("w", type, new Shape(N, K), TestValues.Random(1, N * K)).Select(BFloat16.Round)];
        weights.Add("b", DType.F32, new Shape(N), TestValues.Random(2, N));
        weights.Add("rounded", DType.F32, new Shape(N, K), w);
        float[] x = TestValues.Random(3, M * K);
        foreach (TestBackend backend in TestBackend.All)
        {
            // The result is an output, which a boundary fixes as F32: what is rounded is the matrix alone.
            Assert.Equal(Run(backend, Precision.Float32, "rounded"), Run(backend, Precision.BFloat16, "w"));
        }

        float[] Run(TestBackend configuration, Precision precision, string name)
        {
            var run = new OpRun(weights, [new GuardedInput(DType.F32, new Shape(M, K), x)], []);
            using IBackend backend = configuration.OpenWith(precision);
            return run.Twice<float>(backend, (g, t, _) => g.Linear(t[0], g.Weight(name), g.Weight("b")), M * N);
        }
    }
}
