using Sa2VA.Core;

namespace Sa2VA.Tests;

public class RowTests
{
    [Fact]
    public void Gather_picks_rows_and_gives_zeros_for_negative_indices()
    {
        float[] table = TestValues.Random(1, 11 * 1537);
        int[] index = [10, 0, -1, 5, 5, int.MinValue, 3, 10, 1, 2, 4, 6, 7];
        float[] expected = [.. index.SelectMany(i => i < 0 ? new float[1537] : table.AsSpan(i * 1537, 1537).ToArray())];
        new GuardedOp().Floats(new Shape(11, 1537), table).Ints(index).Gives(expected, (g, t) => g.Gather(t[0], t[1]));
    }

    [Fact]
    public void Gather_takes_as_many_rows_as_the_run_has()
    {
        float[] table = TestValues.Random(1, 5 * 3);
        new GuardedOp().Floats(new Shape(5, 3), table).Scalar("n", 2, 2).Gives<float>([.. table[6..9], .. table[3..6]],
            (g, t, s) => g.Gather(t[0], Index(g, s[0])));

        static Tensor Index(GraphBuilder g, RuntimeScalar n)
        {
            // A constant index with a run-time length: the third entry is never read.
            Tensor constant = g.ArgMax(g.Constant("scores", new Shape(3, 5), [0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1]));
            return g.Reshape(constant, constant.Shape, n);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(int.MaxValue)]
    public void An_index_behind_the_table_is_refused(int index)
    {
        var op = new GuardedOp().Floats(new Shape(11, 4), new float[44]).Ints(index);
        op.IsRefused<float>(4, (g, t, _) => g.Gather(t[0], t[1]), "11 rows", "Gather");
    }

    [Fact]
    public void An_index_behind_the_rows_that_a_run_has_is_refused()
    {
        GuardedOp Op(int rows) => new GuardedOp().Floats(new Shape(11, 4), new float[44]).Ints(6).Scalar("rows", 11, rows);
        Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s) => g.Gather(g.Reshape(t[0], t[0].Shape, s[0]), t[1]);
        Op(7).Gives(new float[4], Record);
        Op(6).IsRefused<float>(4, Record, "index 6 at place 0 is outside the 6 rows");
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Embedding_reads_the_table_or_the_overriding_rows(DType type)
    {
        var weights = new TestWeights();
        float[] table = weights.Add("table", type, new Shape(9, 35), TestValues.Random(1, 9 * 35)), rows = TestValues.Random(2, 4 * 35);
        int[] ids = [8, -1, 0, -4, 3, 3, -2];
        float[] expected = [.. ids.SelectMany(id => (id < 0 ? rows.AsSpan((-1 - id) * 35, 35) : table.AsSpan(id * 35, 35)).ToArray())];
        new GuardedOp(weights).Floats(new Shape(4, 35), rows).Ints(ids)
            .Gives(expected, (g, t) => g.Embedding(g.Weight("table"), t[1], t[0]));
    }

    [Fact]
    public void Embedding_without_overriding_rows_gives_NaN_for_negative_ids()
    {
        var weights = new TestWeights();
        float[] table = weights.Add("table", DType.BF16, new Shape(3, 300), TestValues.Random(1, 900)), lost = new float[300];
        Array.Fill(lost, float.NaN);
        new GuardedOp(weights).Ints(2, -1, 0, int.MinValue)
            .Gives<float>([.. table[600..], .. lost, .. table[..300], .. lost], (g, t) => g.Embedding(g.Weight("table"), t[0]));
    }

    [Theory]
    [InlineData(9, "vocabulary of 9")]
    [InlineData(-2, "image row 1")]
    public void Embedding_refuses_ids_that_do_not_exist(int id, string says)
    {
        var weights = new TestWeights();
        weights.Add("table", DType.BF16, new Shape(9, 4), new float[36]);
        var op = new GuardedOp(weights).Floats(new Shape(1, 4), new float[4]).Ints(id);
        op.IsRefused<float>(4, (g, t, _) => g.Embedding(g.Weight("table"), t[1], t[0]), says);
    }

    [Fact]
    public void Concat_joins_valid_rows_only()
    {
        float[] a = TestValues.Random(1, 301 * 61), b = TestValues.Random(2, 7 * 61), c = TestValues.Random(3, 61);
        new GuardedOp().Floats(new Shape(301, 61), a).Floats(new Shape(7, 61), b).Floats(new Shape(1, 61), c)
            .Gives<float>([.. a, .. b, .. c], (g, t) => g.Concat(t));
        // Two rows of the first and none of the second part in this run.
        new GuardedOp().Floats(new Shape(301, 61), a).Floats(new Shape(7, 61), b).Floats(new Shape(1, 61), c).Scalar("a", 301, 2)
            .Scalar("b", 7, 0).Scalar("all", 309, 3)
            .Gives<float>([.. a[..122], .. c], (g, t, s) =>
                g.Concat([g.Reshape(t[0], t[0].Shape, s[0]), g.Reshape(t[1], t[1].Shape, s[1]), t[2]], s[2]));
    }

    [Fact]
    public void Concat_refuses_a_length_that_is_not_the_sum()
    {
        float[] a = TestValues.Random(1, 4 * 3);
        var op = new GuardedOp().Floats(new Shape(4, 3), a).Scalar("a", 4, 2).Scalar("all", 8, 5);
        op.IsRefused<float>(a.Length, (g, t, s) => g.Concat([g.Reshape(t[0], t[0].Shape, s[0])], s[1]), "2 rows");
    }

    [Theory]
    [InlineData(new[] { 3f }, 0)]
    [InlineData(new[] { 1f, 3f, 3f, 2f }, 1)]
    [InlineData(new[] { 0f, -0f, 0f }, 0)]
    [InlineData(new[] { -5f, -2f, -2f }, 1)]
    [InlineData(new[] { float.NaN, -2f, float.NaN }, -1)]
    [InlineData(new[] { float.NegativeInfinity, float.NegativeInfinity }, -1)]
    [InlineData(new[] { float.NaN, float.NaN }, -1)]
    [InlineData(new[] { 1f, float.PositiveInfinity, float.PositiveInfinity }, -1)]
    public void ArgMax_is_the_lowest_index_of_the_largest(float[] row, int expected) =>
        new GuardedOp().Floats(new Shape(1, row.Length), row).Gives([expected], (g, t) => g.ArgMax(t[0]));

    [Theory]
    [InlineData(23, 1009)]
    [InlineData(3, 5003)]
    public void ArgMax_of_many_rows_matches_a_plain_search(int rows, int width)
    {
        // Few different values: ties everywhere.
        float[] x = [.. TestValues.Random(1, rows * width, 4).Select(v => MathF.Round(v))];
        int[] expected = [.. Enumerable.Range(0, rows)
            .Select(r => Array.IndexOf(x[(r * width)..((r + 1) * width)], x[(r * width)..((r + 1) * width)].Max()))];
        new GuardedOp().Floats(new Shape(rows, width), x).Gives(expected, (g, t) => g.ArgMax(t[0]));
    }

    [Theory]
    [InlineData(true, new[] { 0.9f, 0.1f, 0.3f, 0.2f }, 100, 100, 2)]
    [InlineData(true, new[] { 0.9f, 0.3f, 0.3f, 0.3f }, 100, 100, 1)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 100, 100, 0)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 98, 100, 0)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 97, 100, 3)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 0, 0, 0)]
    [InlineData(false, new[] { 0.9f, 0.1f, 0.3f, 0.2f }, 0, 1, 2)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.1f, 0.5f }, 3, 3, 3, 0.05f)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.1f, 0.5f }, 3, 3, 0, 1f, -0.05f)]
    [InlineData(true, new[] { 0.9f, 0.3f, float.NaN, 0.5f }, 100, 100, 0)]
    [InlineData(true, new[] { 0.9f, 0.3f, 0.5f, float.PositiveInfinity }, 100, 100, 0)]
    [InlineData(true, new[] { float.NaN, 0.3f, 0.5f, 0.2f }, 100, 100, 2)]
    [InlineData(false, new[] { 0.1f, float.NaN, 0.3f, 0.5f }, 97, 100, 0)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 980, 1000, 0, 1f, -1f, 1303)]
    [InlineData(false, new[] { 0.1f, 0.1f, 0.3f, 0.5f }, 979, 1000, 3, 1f, -1f, 1303)]
    public void MaskSelect(bool multimask, float[] ious, int inside, int around, int expected, float surely = 1, float outside = -1,
        int pixels = 131)
    {
        // Of mask 0, some pixels lie surely inside, some near the border, the rest outside. At a distance of 0.05 exactly: not beyond it.
        var masks = new float[4 * pixels];
        for (int i = 0; i < pixels; i++) masks[i] = i < inside ? surely : i < around ? 0.01f : outside;
        new GuardedOp().Floats(new Shape(4, pixels), masks).Floats(new Shape(4), ious)
            .Gives([expected], (g, t) => g.MaskSelect(t[1], multimask ? null : t[0]));
    }
}
