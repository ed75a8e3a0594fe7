using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Shapes that nobody thought of, the same in every run; many more of them in a full run.</summary>
public class RandomShapeTests
{
    private static int Cases => FullRun.Times(8, 3000);

    [Fact]
    public void Linear()
    {
        for (int seed = 0; seed < Cases; seed++)
        {
            var random = new Random(seed);
            int m = random.Next(1, 230), n = random.Next(1, 300), k = random.Next(1, 700);
            var activation = (Activation)random.Next(Enum.GetValues<Activation>().Length);
            DType type = ((DType[])[DType.F32, DType.BF16, DType.F16])[random.Next(3)];
            bool hasBias = random.Next(2) == 0, hasScale = random.Next(2) == 0, hasResidual = random.Next(2) == 0;
            var weights = new TestWeights();
            float[] w = weights.Add("w", type, new Shape(n, k), TestValues.Random(seed + 1, (long)n * k));
            float[] b = weights.Add("b", DType.F32, new Shape(n), TestValues.Random(seed + 2, n));
            float[] s = weights.Add("s", DType.F32, new Shape(n), TestValues.Random(seed + 3, n));
            float[] x = TestValues.Random(seed + 4, m * k), r = TestValues.Random(seed + 5, m * n);
            var reference = new double[m * n];
            var naive = new float[m * n];
            for (int i = 0; i < reference.Length; i++)
            {
                int row = i / n, column = i % n;
                double exact = 0;
                float plain = 0;
                for (int l = 0; l < k; l++)
                {
                    exact += (double)x[row * k + l] * w[column * k + l];
                    plain += x[row * k + l] * w[column * k + l];
                }
                float bias = hasBias ? b[column] : 0, scale = hasScale ? s[column] : 1, residual = hasResidual ? r[i] : 0;
                reference[i] = residual + scale * Reference.Activate(exact + bias, activation);
                naive[i] = residual + scale * Reference.Activate(plain + bias, activation);
            }
            new GuardedOp(weights).Floats(new Shape(m, k), x).Floats(new Shape(m, n), r)
                .Follows(reference, naive, $"seed {seed}: linear {m}×{n}×{k} {type} {activation}", (g, t) => g.Linear(t[0], g.Weight("w"),
                    hasBias ? g.Weight("b") : null, activation, hasScale ? g.Weight("s") : null, hasResidual ? t[1] : null));
        }
    }

    [Fact]
    public void FlashAttention()
    {
        for (int seed = 0; seed < Cases; seed++)
        {
            var random = new Random(seed);
            int kvHeads = random.Next(1, 4), heads = kvHeads * random.Next(1, 4), start = random.Next(0, 200), rows = random.Next(1, 160);
            var attention = new AttentionReference(heads, kvHeads, random.Next(1, 80), random.Next(1, 80));
            bool causal = random.Next(3) > 0;
            int length = causal ? start + rows : random.Next(1, 300);
            float[] q = TestValues.Random(seed + 1, rows * heads * attention.HeadDim);
            float[] k = TestValues.Random(seed + 2, length * kvHeads * attention.HeadDim);
            float[] v = TestValues.Random(seed + 3, length * kvHeads * attention.ValueDim);
            (double[] exact, float[] naive) = attention.Compute(q, k, v, causal ? start : null);
            new GuardedOp { Narrow = () => attention.Narrow(q, k, v, causal ? start : null) }
                .Floats(new Shape(rows, heads * attention.HeadDim), q).Floats(new Shape(length, kvHeads * attention.HeadDim), k)
                .Floats(new Shape(length, kvHeads * attention.ValueDim), v).Scalar("start", 1000, start)
                .Follows(exact, naive, $"seed {seed}: {rows} rows from {start} over {length}, {attention}", (g, t, s) =>
                    g.FlashAttention(t[0], t[1], t[2], heads, kvHeads, attention.Scale, causal, causal ? s[0] : null));
        }
    }
}
