using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Draws from logits: every backend draws what sorting by the definition of docs/sampling.md gives, and what float64 allows.
/// </summary>
public class SampleTests
{
    /// <summary>Columns, spread of the logits, temperature, top-k, top-p.</summary>
    public static TheoryData<int, float, float, int, float> Shapes()
    {
        var data = new TheoryData<int, float, float, int, float>();
        foreach (int columns in (int[])[1, 2, 37, 1025, 5003])
        {
            data.Add(columns, 3, 1, 0, 1);
            data.Add(columns, 3, 0.7f, 20, 0.9f);
            data.Add(columns, 30, 1.3f, 0, 0.5f);
            data.Add(columns, 0.001f, 1, 500, 0.999f);
        }
        // What models have: Sa2VA-1B's vocabulary.
        data.Add(151_674, 4, 0.8f, 50, 0.95f);
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Draws_what_sorting_gives(int columns, float spread, float temperature, int topK, float topP)
    {
        const int Rows = 3;
        float[] x = TestValues.Random(columns + topK, Rows * columns, spread);
        // Equal numbers within a row: the largest, and some of the others.
        for (int i = 0; i < columns; i += 7) x[i] = x[columns / 2];
        for (int i = 0; i < columns; i++) x[columns + i] = MathF.Round(x[columns + i]);
        var random = new Random(columns);
        SamplingChoice[] choices = [.. Enumerable.Range(0, Rows).Select(r =>
            new SamplingChoice(temperature, topK, topP, r == 1 ? int.MaxValue - 1 : random.Next()))];
        int[] expected = [.. choices.Select((c, r) => SortedDraw.Of(x.AsSpan(r * columns, columns), c))];
        Op(x, columns, choices).Gives(expected, (g, t) => g.Sample(t[0], t[1]));
        for (int r = 0; r < Rows; r++) Assert.True(IsAllowed(x.AsSpan(r * columns, columns), choices[r], expected[r]), $"row {r}");
    }

    [Fact]
    public void Draws_as_often_as_is_likely()
    {
        // The last is as likely as the third, and comes behind it.
        float[] x = [.. ((float[])[0.1f, 0.4f, 0.2f, 0.1f, 0.2f]).Select(v => MathF.Log(v))];
        foreach ((int topK, float topP, double[] shares) in ((int, float, double[])[])[(0, 1, [0.1, 0.4, 0.2, 0.1, 0.2]),
            (3, 1, [0, 0.5, 0.25, 0, 0.25]), (2, 1, [0, 2 / 3.0, 1 / 3.0, 0, 0]), (0, 0.55f, [0, 2 / 3.0, 1 / 3.0, 0, 0]),
            (3, 0.7f, [0, 2 / 3.0, 1 / 3.0, 0, 0]), (0, 0.85f, [1 / 9.0, 4 / 9.0, 2 / 9.0, 0, 2 / 9.0]), (0, 0, [0, 1, 0, 0, 0])])
        {
            const int Draws = 45;
            SamplingChoice[] choices =
                [.. Enumerable.Range(0, Draws).Select(i => new SamplingChoice(1, topK, topP, (int)((i + 0.5) / Draws * int.MaxValue)))];
            float[] rows = [.. Enumerable.Repeat(x, Draws).SelectMany(v => v)];
            Op(rows, x.Length, choices).Satisfies<int>(Draws, (g, t, _) => g.Sample(t[0], t[1]), y =>
            {
                for (int i = 0; i < x.Length; i++) Assert.InRange(y.Count(v => v == i) - Draws * shares[i], -1.5, 1.5);
                // In the order of indices.
                Assert.Equal(y.Order(), y);
            });
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-30f)]
    public void Of_no_temperature_the_largest_is_taken(float temperature)
    {
        const int Rows = 4, Columns = 301;
        float[] x = TestValues.Random(5, Rows * Columns);
        x[Columns + 17] = x[Columns + 200] = 9;
        SamplingChoice[] choices = [.. Enumerable.Range(0, Rows).Select(r => new SamplingChoice(temperature, 0, 1, r))];
        int[] largest = [.. x.Chunk(Columns).Select(row => Array.IndexOf(row, row.Max()))];
        Op(x, Columns, choices).Gives(largest, (g, t) => g.Sample(t[0], t[1]));
        Assert.Equal(17, largest[1]);
        Op(x, Columns, [.. choices.Select(c => SamplingChoice.Largest)]).Gives(largest, (g, t) => g.Sample(t[0], t[1]));
    }

    [Fact]
    public void A_row_that_is_not_finite_gives_no_index_and_the_others_theirs()
    {
        const int Rows = 5, Columns = 77;
        float[] x = TestValues.Random(6, Rows * Columns);
        SamplingChoice[] choices = [.. Enumerable.Range(0, Rows).Select(r => new SamplingChoice(1, 5, 0.9f, r * 400_000_000))];
        int[] expected = [.. choices.Select((c, r) => SortedDraw.Of(x.AsSpan(r * Columns, Columns), c))];
        (x[Columns + 3], x[(3 * Columns) + 76], x[4 * Columns]) = (float.NaN, float.NegativeInfinity, float.PositiveInfinity);
        (expected[1], expected[3], expected[4]) = (-1, -1, -1);
        Op(x, Columns, choices).Gives(expected, (g, t) => g.Sample(t[0], t[1]));
    }

    [Fact]
    public void Choices_out_of_range_are_refused()
    {
        foreach (SamplingChoice wrong in (SamplingChoice[])[new(-1, 0, 1, 0), new(float.NaN, 0, 1, 0), new(1, -1, 1, 0), new(1, 0, 1.1f, 0),
            new(1, 0, float.NaN, 0), new(1, 0, 1, -1), new(1, 0, 1, int.MaxValue)])
            Assert.Throws<ArgumentOutOfRangeException>(() => wrong.Write(new int[SamplingChoice.Count]));
        var g = new GraphBuilder("test", new TestWeights());
        Tensor x = g.Input("x", DType.F32, new Shape(2, 9));
        Assert.Throws<GraphException>(() => g.Sample(x, g.Input("three", DType.I32, new Shape(2, 3))));
        Assert.Throws<GraphException>(() => g.Sample(x, g.Input("one", DType.I32, new Shape(1, 4))));
        Assert.Throws<GraphException>(() => g.Sample(x, g.List("any", new Shape(2, 4), new IndexRange(-1, 5))));
        g.Sample(x, g.List("choices", new Shape(2, 4), SamplingChoice.Range));
    }

    private static GuardedOp Op(float[] x, int columns, SamplingChoice[] choices)
    {
        var written = new int[choices.Length * SamplingChoice.Count];
        for (int r = 0; r < choices.Length; r++) choices[r].Write(written.AsSpan(r * SamplingChoice.Count));
        return new GuardedOp().Floats(new Shape(choices.Length, columns), x).Ints(new Shape(choices.Length, SamplingChoice.Count), written);
    }

    /// <summary>Whether float64 finds the draw's point within the index's share, to a millionth, or a tie at an edge.</summary>
    private static bool IsAllowed(ReadOnlySpan<float> row, SamplingChoice choice, int index)
    {
        const double Slack = 1e-5;
        float[] x = row.ToArray();
        int[] order = [.. Enumerable.Range(0, x.Length).OrderByDescending(i => x[i]).ThenBy(i => i)];
        double[] p = [.. x.Select(v => Math.Exp((v - (double)x[order[0]]) / choice.Temperature))];
        int left = choice.TopK > 0 ? Math.Min(choice.TopK, x.Length) : x.Length;
        double all = order[..left].Sum(i => p[i]), before = 0;
        int nucleus = 0;
        for (; nucleus < left && (nucleus == 0 || before < choice.TopP * all); nucleus++) before += p[order[nucleus]];
        HashSet<int> kept = [.. order[..nucleus]];
        double total = kept.Sum(i => p[i]), point = choice.Draw / Math.Pow(2, 31) * total;
        double sum = Enumerable.Range(0, index).Where(kept.Contains).Sum(i => p[i]);
        // One more or less may be left where the share ends within rounding.
        double slack = Slack * total + p[order[nucleus - 1]];
        return p[index] >= p[order[nucleus - 1]] * (1 - Slack) && point >= sum - slack && point <= sum + p[index] + slack;
    }
}
