using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>A norm that makes the sum before it: norm and sum have the bits that they have apart.</summary>
public class ResidualNormTests
{
    public static TheoryData<bool, int, int, int> Shapes()
    {
        var data = new TheoryData<bool, int, int, int>();
        foreach (bool isRms in (bool[])[true, false])
        {
            // Rows held by a warp, a block, four lanes, or read again; widths of no quads; residuals whose rows repeat.
            foreach ((int rows, int residualRows, int width) in ((int, int, int)[])[(3, 3, 896), (1, 1, 2048), (7, 7, 4500), (9, 9, 4501),
                (5, 5, 37), (12, 4, 144), (70, 70, 4), (33, 1, 64), (64, 16, 288), (2, 2, 1023), (2, 2, 1029)])
                data.Add(isRms, rows, residualRows, width);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Has_the_bits_of_sum_and_norm_one_by_one(bool isRms, int rows, int residualRows, int width)
    {
        var weights = new TestWeights();
        weights.Add("norm.weight", DType.F32, new Shape(width), TestValues.Random(1, width));
        weights.Add("norm.bias", DType.F32, new Shape(width), TestValues.Random(2, width));
        int count = rows * width;
        Op().Satisfies<float>(4 * count, (g, t, _) => Record(g, t[0], t[1]), AreEqual);
        // Fewer rows than there could be.
        if (residualRows == rows && rows > 1)
            Op().Scalar("n", rows, rows - 1).Satisfies<float>((rows - 1) * width, (g, t, s) =>
                Norm(g, g.Add(g.Reshape(t[0], t[0].Shape, s[0]), g.Reshape(t[1], t[1].Shape, s[0]))), AreFinite);

        void AreEqual(float[] y)
        {
            Assert.Equal(y[..count], y[(2 * count)..(3 * count)]);
            Assert.Equal(y[count..(2 * count)], y[(3 * count)..]);
            AreFinite(y);
        }

        void AreFinite(float[] y) => Assert.All(y, v => Assert.True(float.IsFinite(v)));

        GuardedOp Op() => new GuardedOp(weights) { IsOneOp = false }.Floats(new Shape(rows, width), TestValues.Random(3, count))
            .Floats(new Shape(residualRows, width), TestValues.Random(4, residualRows * width));

        Tensor Norm(GraphBuilder g, Tensor x) => isRms ? g.RmsNorm(x, g.At("norm"), 1e-6f) : g.LayerNorm(x, g.At("norm"), 1e-6f);

        Tensor Record(GraphBuilder g, Tensor x, Tensor residual)
        {
            Tensor sum = g.Add(x, residual), norm = Norm(g, sum), other = g.Add(x, residual), apart = Norm(g, g.Copy(other));
            return g.Concat([norm, sum, apart, other]);
        }
    }
}
