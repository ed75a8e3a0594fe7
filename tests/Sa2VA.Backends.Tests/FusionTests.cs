using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// What passes put in the place of several ops gives their bits, where sums stay as they are: each case runs both, the second kept apart by
/// copies.
/// </summary>
public class FusionTests
{
    public static TheoryData<int, DType> Rows()
    {
        var data = new TheoryData<int, DType>();
        foreach (DType type in (DType[])[DType.F32, DType.BF16, DType.F16])
            foreach (int rows in (int[])[1, 2, 13, 200]) data.Add(rows, type);
        return data;
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void Projections_of_one_input(int rows, DType type)
    {
        const int Heads = 3, KvHeads = 1, HeadDim = 14, ValueDim = 5, Width = 307;
        var weights = new TestWeights();
        int seed = 0;
        foreach ((string name, int n) in ((string, int)[])[("q", Heads * HeadDim), ("k", KvHeads * HeadDim), ("v", KvHeads * ValueDim)])
        {
            weights.Add($"{name}.weight", type, new Shape(n, Width), TestValues.Random(++seed, n * Width, 0.1f));
            weights.Add($"{name}.bias", type, new Shape(n), TestValues.Random(++seed, n));
        }
        SameBits(weights, rows, Width, rows * Heads * ValueDim, (g, x, apart) =>
        {
            Tensor[] parts = [.. ((string[])["q", "k", "v"]).Select(name =>
                g.Linear(apart(x), g.Weight($"{name}.weight"), g.Weight($"{name}.bias")))];
            return g.FlashAttention(parts[0], parts[1], parts[2], Heads, KvHeads, 0.2f);
        });
    }

    [Fact]
    public void Projections_that_pick_rows_of_one_weight()
    {
        const int Width = 70;
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(99, Width), TestValues.Random(1, 99 * Width, 0.1f));
        weights.Add("b", DType.BF16, new Shape(99), TestValues.Random(2, 99));
        SameBits(weights, 7, Width, 7 * 33, (g, x, apart) =>
        {
            Tensor[] parts = [.. Enumerable.Range(0, 3).Select(part =>
            {
                int[] rows = [.. Enumerable.Range(0, 33).Select(i => i / 11 * 33 + part * 11 + i % 11)];
                return g.Linear(apart(x), g.Weight("w").Reorder(rows), g.Weight("b").Reorder(rows));
            })];
            return g.FlashAttention(parts[0], parts[1], parts[2], 3, 3, 0.2f);
        });
    }

    public static TheoryData<int, int, int, DType> Shapes()
    {
        var data = new TheoryData<int, int, int, DType>();
        foreach (DType type in (DType[])[DType.F32, DType.BF16, DType.F16])
        {
            data.Add(1, 1, 1, type);
            data.Add(1, 33, 257, type);
            data.Add(2, 15, 7, type);
            data.Add(13, 97, 300, type);
            data.Add(200, 48, 256, type);
            data.Add(61, 131, 523, type);
        }
        // Few rows of a great depth.
        data.Add(16, 70, 904, DType.BF16);
        data.Add(3, 1301, 520, DType.BF16);
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Gate_and_up_with_SwiGlu(int m, int n, int k, DType type)
    {
        var weights = new TestWeights();
        float[] gate = weights.Add("gate", type, new Shape(n, k), TestValues.Random(1, n * k, 0.2f));
        float[] up = weights.Add("up", type, new Shape(n, k), TestValues.Random(2, n * k, 0.2f));
        SameBits(weights, m, k, m * n, (g, t, apart) => g.SwiGlu(g.Linear(t, g.Weight("gate")), g.Linear(apart(t), g.Weight("up"))));

        float[] x = TestValues.Random(3, m * k);
        var reference = new double[m * n];
        var naive = new float[m * n];
        for (int i = 0; i < reference.Length; i++)
        {
            (double a, double b) = (0, 0);
            (float c, float d) = (0, 0);
            for (int l = 0; l < k; l++)
            {
                (float value, float inGate, float inUp) = (x[i / n * k + l], gate[i % n * k + l], up[i % n * k + l]);
                (a, b) = (a + (double)value * inGate, b + (double)value * inUp);
                (c, d) = (c + value * inGate, d + value * inUp);
            }
            reference[i] = Reference.Activate(a, Activation.Silu) * b;
            naive[i] = (float)Reference.Activate((double)c, Activation.Silu) * d;
        }
        new GuardedOp(weights).Floats(new Shape(m, k), x).Follows(reference, naive, $"gated {m}×{n}×{k} {type}",
            (g, t) => g.SwiGlu(g.Linear(t[0], g.Weight("gate")), g.Linear(t[0], g.Weight("up"))));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Largest_product(int m, int n, int k, DType type)
    {
        var weights = new TestWeights();
        float[] w = TestValues.Random(1, n * k, 0.2f);
        // A tie in every row: the last output has the weights of one before it.
        w.AsSpan(n / 3 * k, k).CopyTo(w.AsSpan((n - 1) * k));
        weights.Add("w", type, new Shape(n, k), w);
        foreach (float bad in (float[])[0, float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            float[] x = TestValues.Random(2, m * k);
            if (bad != 0) x[m / 2 * k + k / 2] = bad;
            // Rows that agree with the tied output best of all, so that it is the largest.
            for (int i = 0; i < k; i++) x[i] = float.IsFinite(x[i]) ? w[n / 3 * k + i] : x[i];
            int[]? found = null;
            new GuardedOp(weights).Floats(new Shape(m, k), x).Satisfies<int>(m, (g, t, _) => g.ArgMax(g.Linear(t[0], g.Weight("w"))),
                y => found = y);
            new GuardedOp(weights).Floats(new Shape(m, k), x).Gives(found!, (g, t) => g.ArgMax(g.Copy(g.Linear(t[0], g.Weight("w")))));
            if (bad != 0) Assert.Equal(-1, found![m / 2]);
            if (bad == 0 || m > 1) Assert.Equal(n / 3, found![0]);
        }
    }

    [Theory]
    [InlineData(32, 1, 1)]
    [InlineData(5, 13, 2)]
    [InlineData(331, 77, 3)]
    public void A_row_chosen_from_a_product(int width, int pixels, int best)
    {
        float[] rows = TestValues.Random(1, 4 * width), map = TestValues.Random(2, pixels * width), ious = [0.9f, 0.1f, 0.2f, 0.3f];
        ious[best] = 0.5f;
        new GuardedOp().Floats(new Shape(4, width), rows).Floats(new Shape(pixels, width), map).Floats(new Shape(4), ious)
            .Satisfies<float>(3 * pixels, (g, t, _) =>
            {
                Tensor product = g.Copy(g.MatMul(t[0], t[1])), index = g.MaskSelect(t[2]);
                return g.Concat([g.Gather(g.MatMul(t[0], t[1]), index), g.Gather(product, index), g.SliceRows(product, best, 1)]);
            },
            y =>
            {
                Assert.Equal(y[..pixels], y[pixels..(2 * pixels)]);
                Assert.Equal(y[..pixels], y[(2 * pixels)..]);
            });
    }

    [Theory]
    [InlineData(1, 40, 120, 60)]
    [InlineData(37, 64, 256, 256)]
    [InlineData(130, 144, 256, 32)]
    public void Two_layers_as_one(int m, int k, int inner, int n)
    {
        var weights = new TestWeights();
        float[] first = weights.Add("first", DType.BF16, new Shape(inner, k), TestValues.Random(1, inner * k, 0.1f));
        float[] firstBias = weights.Add("first.bias", DType.BF16, new Shape(inner), TestValues.Random(2, inner));
        float[] second = weights.Add("second", DType.BF16, new Shape(n, inner), TestValues.Random(3, n * inner, 0.1f));
        float[] secondBias = weights.Add("second.bias", DType.BF16, new Shape(n), TestValues.Random(4, n));
        float[] x = TestValues.Random(5, m * k), residual = TestValues.Random(6, m * n);
        var reference = new double[m * n];
        var naive = new float[m * n];
        for (int r = 0; r < m; r++)
        {
            var exact = new double[inner];
            var plain = new float[inner];
            for (int i = 0; i < inner; i++)
            {
                for (int l = 0; l < k; l++)
                {
                    exact[i] += (double)x[r * k + l] * first[i * k + l];
                    plain[i] += x[r * k + l] * first[i * k + l];
                }
                (exact[i], plain[i]) = (exact[i] + firstBias[i], plain[i] + firstBias[i]);
            }
            for (int c = 0; c < n; c++)
            {
                double sum = 0;
                float plainSum = 0;
                for (int i = 0; i < inner; i++)
                {
                    sum += exact[i] * second[c * inner + i];
                    plainSum += plain[i] * second[c * inner + i];
                }
                reference[r * n + c] = sum + secondBias[c] + residual[r * n + c];
                naive[r * n + c] = plainSum + secondBias[c] + residual[r * n + c];
            }
        }
        new GuardedOp(weights) { IsOneOp = false }.Floats(new Shape(m, k), x).Floats(new Shape(m, n), residual).Follows(reference, naive,
            $"{m} rows, {k} to {inner} to {n}", (g, t) => g.Linear(g.Linear(t[0], g.Weight("first"), g.Weight("first.bias")),
                g.Weight("second"), g.Weight("second.bias"), residual: t[1]));
    }

    /// <summary>Runs what is recorded twice in one graph, once as passes find it and once with a copy of x for each reader.</summary>
    private static void SameBits(TestWeights weights, int rows, int width, int count,
        Func<GraphBuilder, Tensor, Func<Tensor, Tensor>, Tensor> record)
    {
        float[] x = TestValues.Random(99, rows * width);
        new GuardedOp(weights) { IsOneOp = false }.Floats(new Shape(rows, width), x).Satisfies<float>(2 * count,
            (g, t, _) => g.Concat([record(g, t[0], y => y), record(g, t[0], y => g.Copy(y))]),
            y => Assert.Equal(y[..count], y[count..]));
    }
}
