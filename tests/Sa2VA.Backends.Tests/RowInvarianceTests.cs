using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// A row's result has the same bits alone, among the few rows of chats that decode together and among the many of a prompt: otherwise what
/// a chat answers would depend on the others.
/// </summary>
public class RowInvarianceTests
{
    /// <summary>Around the blocks that a matrix product is made of: 4, 6, 8 and 12 rows, two of them, 192.</summary>
    private static readonly int[] Counts = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 25, 64, 193, 260];

    private static readonly int[] FromAllSides = [1, 13, 17, 260];

    [Theory]
    [InlineData(DType.F32, 97, 300)]
    [InlineData(DType.F32, 70, 328)]
    [InlineData(DType.BF16, 70, 2200)]
    [InlineData(DType.BF16, 300, 65)]
    [InlineData(DType.F16, 33, 129)]
    public void Linear(DType type, int n, int k)
    {
        var weights = new TestWeights();
        weights.Add("w", type, new Shape(n, k), TestValues.Random(1, (long)n * k));
        weights.Add("b", DType.F32, new Shape(n), TestValues.Random(2, n));
        float[] x = TestValues.Random(3, (long)Counts[^1] * k), residual = TestValues.Random(4, (long)Counts[^1] * n);
        Check(rows => new GuardedOp(weights).Floats(new Shape(rows, k), x[..(rows * k)]).Floats(new Shape(rows, n), residual[..(rows * n)]),
            n, (g, t) => g.Linear(t[0], g.Weight("w"), g.Weight("b"), Activation.Silu, null, t[1]));
    }

    /// <summary>
    /// In BF16 a GPU has tiles of many sizes. All give the bits that a row has alone, but for products that are deeper than 512: of those,
    /// rows have the same bits among up to sixteen.
    /// </summary>
    [Theory]
    [InlineData(3, 900, 200)]
    [InlineData(16, 2200, 136)]
    [InlineData(5, 5000, 72)]
    [InlineData(33, 3000, 72)]
    [InlineData(33, 9728, 72)]
    [InlineData(300, 5000, 72)]
    [InlineData(2000, 432, 40)]
    [InlineData(90, 70, 65)]
    [InlineData(40, 300, 512)]
    [InlineData(2, 38, 520)]
    [InlineData(5, 1310, 648)]
    [InlineData(8, 2601, 896)]
    [InlineData(16, 68, 4864)]
    public void Products_in_BF16(int rows, int n, int k)
    {
        var weights = new TestWeights();
        foreach (string name in (string[])["w", "up"])
            weights.Add(name, DType.BF16, new Shape(n, k), TestValues.Random(name.Length, (long)n * k, 0.1f));
        weights.Add("b", DType.F32, new Shape(n), TestValues.Random(3, n));
        float[] x = TestValues.Random(4, rows * k), residual = TestValues.Random(5, rows * n);
        foreach (TestBackend configuration in TestBackend.All.DistinctBy(b => b.Family))
        {
            using IBackend backend = configuration.OpenWith(Precision.BFloat16);
            foreach ((int width, Func<GraphBuilder, Tensor[], Tensor> record) in ((int, Func<GraphBuilder, Tensor[], Tensor>)[])
                [(n, Linear), (n, Gated), (1, Best)])
            {
                float[] all = Rows(backend, 0, rows, width, record);
                foreach (int row in ((int[])[0, rows / 2, rows - 1]).Distinct())
                    Assert.Equal(all[(row * width)..((row + 1) * width)], Rows(backend, row, 1, width, record));
            }
            Assert.Equal(Rows(backend, 0, rows, 1, BestOfStored), Rows(backend, 0, rows, 1, Best));
        }

        Tensor Linear(GraphBuilder g, Tensor[] t) => g.Linear(t[0], g.Weight("w"), g.Weight("b"), Activation.Gelu, null, t[1]);
        Tensor Gated(GraphBuilder g, Tensor[] t) => g.SwiGlu(g.Linear(t[0], g.Weight("w")), g.Linear(t[0], g.Weight("up")));
        Tensor Best(GraphBuilder g, Tensor[] t) => Index(g, t, g.Linear(t[0], g.Weight("w")));
        Tensor BestOfStored(GraphBuilder g, Tensor[] t) => Index(g, t, g.Copy(g.Linear(t[0], g.Weight("w"))));
        Tensor Index(GraphBuilder g, Tensor[] t, Tensor products) =>
            g.Copy(g.Reshape(g.ArgMax(products), new Shape(t[0].Shape[0], 1)), DType.F32);

        float[] Rows(IBackend backend, int first, int count, int width, Func<GraphBuilder, Tensor[], Tensor> record)
        {
            var run = new OpRun(weights,
                [
                    new GuardedInput(DType.BF16, new Shape(count, k), x[(first * k)..((first + count) * k)]),
                    new GuardedInput(DType.F32, new Shape(count, n), residual[(first * n)..((first + count) * n)]),
                ], []);
            return count == rows ? run.Twice<float>(backend, Record, count * width) : run.Once<float>(backend, Record, count * width);

            Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) => record(g, [g.Copy(t[0], DType.F32), t[1]]);
        }
    }

    /// <summary>
    /// In BF16 a GPU attends to many keys of wide heads in splits: where they are cut is a matter of a segment's keys alone. Blocks of more
    /// queries, which a card with enough of them to do has, change no bit.
    /// </summary>
    [Theory]
    [InlineData(64, true, 2100, 7, 0, 4097)]
    [InlineData(64, false, 300, 2048, 5000)]
    [InlineData(256, true, 1024, 1100, 3, 0)]
    [InlineData(256, false, 40, 2060, 1)]
    public void Attention_of_wide_heads_in_BF16(int valueWidth, bool hasOffsets, params int[] keys)
    {
        const int Width = 256;
        int[] rows = [.. keys.Select((_, s) => hasOffsets ? 11 + 60 * s : 70)];
        float[][] q = Values(1, rows, Width), k = Values(2, keys, Width), v = Values(3, keys, valueWidth);
        foreach (IGrouping<string, TestBackend> family in TestBackend.All.GroupBy(b => b.Family))
        {
            using IBackend backend = family.First().OpenWith(Precision.BFloat16);
            float[] together = Run(backend, 0, keys.Length);
            Assert.Equal([.. Enumerable.Range(0, keys.Length).SelectMany(s => Run(backend, s, 1))], together);
            Assert.Equal(keys.Select(n => n > 0), Enumerable.Range(0, keys.Length).Select(s =>
                together.Skip(rows[..s].Sum() * valueWidth).Take(rows[s] * valueWidth).Any(y => y != 0)));
            if (family.Key != VirtualGpus.Family) continue;
            foreach (TestBackend other in new[] { VirtualGpus.Small, VirtualGpus.Warpgroups })
            {
                using IBackend small = other.OpenWith(Precision.BFloat16);
                Assert.Equal(together, Run(small, 0, keys.Length));
            }
        }

        // All together once more in a second run, each alone in one.
        float[] Run(IBackend backend, int first, int count)
        {
            int[] of = rows[first..(first + count)];
            GuardedInput Matrix(float[][] from, int[] heights, int width, int more) => new(DType.BF16,
                new Shape(heights[first..(first + count)].Sum() + more, width),
                (float[])[.. from[first..(first + count)].SelectMany(x => x), .. new float[more * width]]);
            GuardedInput List(int[] values) => new(DType.I32, new Shape(values.Length), values);
            var run = new OpRun(new TestWeights(),
                [
                    Matrix(q, rows, Width, 0), Matrix(k, keys, Width, 1), Matrix(v, keys, valueWidth, 1),
                    List(keys[first..(first + count)]),
                    List([.. Enumerable.Range(0, count + 1).Select(s => of[..s].Sum())]),
                ], []);
            int values = of.Sum() * valueWidth;
            return count > 1 ? run.Twice<float>(backend, Record, values) : run.Once<float>(backend, Record, values);

            Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) => g.FlashAttention(g.Copy(t[0], DType.F32), t[1], t[2],
                new AttentionSegments(t[3], hasOffsets ? t[4] : null), 1, 1, 1f / 16);
        }

        static float[][] Values(int seed, int[] heights, int width) =>
            [.. heights.Select((n, s) => TestValues.Random(10 * s + seed, (long)n * width))];
    }

    /// <summary>
    /// A card with enough to do attends to 128 queries at a time, of which the first see nothing of the last keys of causal attention.
    /// </summary>
    [Theory]
    [InlineData(64)]
    [InlineData(72)]
    public void Causal_attention_in_BF16_however_many_queries_a_block_has(int width)
    {
        const int Rows = 200, Keys = 333, Start = 133, Heads = 2;
        Assert.SkipUnless(TestBackend.All.Any(b => b.Family == VirtualGpus.Family), "SA2VA_BACKENDS leaves virtual GPUs out.");
        GuardedInput Values(int seed, int rows, int heads) =>
            new(DType.BF16, new Shape(rows, heads * width), TestValues.Random(seed, (long)rows * heads * width, 3));
        var run = new OpRun(new TestWeights(), [Values(1, Rows, Heads), Values(2, Keys, 1), Values(3, Keys, 1)], [("start", 999, Start)]);
        TestBackend[] backends = [TestBackend.All.First(b => b.Family == VirtualGpus.Family), VirtualGpus.Small, VirtualGpus.Warpgroups];
        float[][] results = [.. backends.Select(b =>
        {
            using IBackend backend = b.OpenWith(Precision.BFloat16);
            return run.Once<float>(backend, (g, t, s) => g.FlashAttention(g.Copy(t[0], DType.F32), t[1], t[2], Heads, 1, 0.13f, true, s[0]),
                Rows * Heads * width);
        })];
        for (int i = 1; i < results.Length; i++) OpRun.AssertSameBits(results[0], results[i], backends[i].Name);
    }

    private static readonly Dictionary<string, Func<GraphBuilder, Tensor[], Tensor>> RowOps = new()
    {
        ["RmsNorm"] = (g, t) => g.RmsNorm(t[0], g.At("norm"), 1e-6f),
        ["RmsNorm of heads"] = (g, t) =>
            g.Reshape(g.RmsNorm(g.Reshape(t[0], new Shape(t[0].Shape[0], 2, 333)), g.At("half"), 1e-6f), t[0].Shape),
        ["LayerNorm"] = (g, t) => g.LayerNorm(t[0], g.At("norm"), 1e-6f, Activation.Gelu),
        ["Softmax"] = (g, t) => g.Softmax(t[0]),
        ["Map"] = (g, t) => g.Map(t[0], Activation.GeluTanh),
        ["Add"] = (g, t) => g.Add(t[0], t[1]),
        ["Multiply"] = (g, t) => g.Multiply(t[0], t[1]),
        ["SwiGlu"] = (g, t) => g.SwiGlu(t[0], t[1]),
        ["Copy"] = (g, t) => g.Copy(g.Copy(t[0], DType.BF16), DType.F32),
        ["MatMul"] = (g, t) => g.MatMul(t[0], g.Constant("b", new Shape(666, 666), to => TestValues.Random(7, to.Length).CopyTo(to))),
        ["RotaryEmbedding"] = (g, t) => g.RotaryEmbedding(t[0], Angles(g), Angles(g), t[2], 9, RotaryPairing.Half),
        ["Embedding"] = (g, t) => g.Embedding(g.Weight("table"), t[2]),
        ["Gather"] = (g, t) => g.Gather(g.Constant("rows", new Shape(50, 666), to => TestValues.Random(8, to.Length).CopyTo(to)), t[2]),
    };

    public static TheoryData<string> Ops => [.. RowOps.Keys];

    [Theory]
    [MemberData(nameof(Ops))]
    public void Row_ops(string op)
    {
        const int Width = 666;
        var weights = new TestWeights();
        foreach ((string name, int width) in ((string, int)[])[("norm", Width), ("half", Width / 2)])
            foreach (string part in (string[])["weight", "bias"])
                weights.Add($"{name}.{part}", DType.F32, new Shape(width), TestValues.Random(width + part.Length, width));
        weights.Add("table", DType.BF16, new Shape(50, Width), TestValues.Random(5, 50 * Width));
        float[] a = TestValues.Random(1, Counts[^1] * Width, 3), b = TestValues.Random(2, Counts[^1] * Width);
        int[] index = [.. Enumerable.Range(0, Counts[^1]).Select(i => i * 7 % 50)];
        Check(rows => new GuardedOp(weights).Floats(new Shape(rows, Width), a[..(rows * Width)]).Floats(new Shape(rows, Width),
            b[..(rows * Width)]).Ints(index[..rows]), Width, RowOps[op]);
    }

    [Fact]
    public void ArgMax()
    {
        float[] x = [.. TestValues.Random(1, Counts[^1] * 99, 9).Select(v => MathF.Round(v))];
        foreach (string family in TestBackend.Families)
        {
            int[] all = [];
            foreach (int rows in Enumerable.Reverse(Counts))
                new GuardedOp().Floats(new Shape(rows, 99), x[..(rows * 99)]).Satisfies<int>(rows, (g, t, _) => g.ArgMax(t[0]), best =>
                {
                    if (rows == Counts[^1]) all = best;
                    Assert.Equal(all[..rows], best);
                }, family);
        }
    }

    private static void Check(Func<int, GuardedOp> inputs, int width, Func<GraphBuilder, Tensor[], Tensor> record)
    {
        foreach (string family in TestBackend.Families)
        {
            float[] all = [];
            foreach (int rows in Enumerable.Reverse(Counts))
            {
                if (FromAllSides.Contains(rows)) inputs(rows).Satisfies<float>(rows * width, (g, t, _) => record(g, t), Compare, family);
                else inputs(rows).Briefly(rows * width, (g, t, _) => record(g, t), Compare, family);

                void Compare(float[] y)
                {
                    if (rows == Counts[^1]) all = y;
                    for (int i = 0; i < y.Length; i++)
                        if (BitConverter.SingleToInt32Bits(y[i]) != BitConverter.SingleToInt32Bits(all[i]))
                        {
                            Assert.Fail($"Row {i / width} of {rows} is {y[i]:R} in column {i % width}, "
                                + $"among {Counts[^1]} it is {all[i]:R}.");
                        }
                }
            }
        }
    }

    private static Tensor Angles(GraphBuilder g) =>
        g.Constant("angles", new Shape(50, 37), to => TestValues.Random(6, to.Length).CopyTo(to));
}
