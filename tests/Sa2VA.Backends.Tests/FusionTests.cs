using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>What passes put in the place of several ops gives their bits: each case runs both, the second kept apart by copies.</summary>
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

    /// <summary>Runs what is recorded twice in one graph, once as passes find it and once with a copy of x for each reader.</summary>
    private static void SameBits(TestWeights weights, int rows, int width, int count,
        Func<GraphBuilder, Tensor, Func<Tensor, Tensor>, Tensor> record)
    {
        float[] x = TestValues.Random(99, rows * width);
        new GuardedOp(weights).Floats(new Shape(rows, width), x).Satisfies<float>(2 * count,
            (g, t, _) => g.Concat([record(g, t[0], y => y), record(g, t[0], y => g.Copy(y))]),
            y => Assert.Equal(y[..count], y[count..]));
    }
}
