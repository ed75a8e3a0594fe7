using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>The first value that is not finite is found wherever it stands, and the largest finite ones pass.</summary>
public sealed class FiniteTests
{
    [Fact]
    public void The_first_one_is_found_in_every_place_of_every_type()
    {
        foreach (int length in (int[])[1, 15, 16, 17, 64, 131])
            foreach (DType type in (DType[])[DType.F32, DType.F16, DType.BF16])
            {
                Assert.Equal(-1, Find(type, Extremes(type, length)));
                foreach (float bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
                    for (int at = 0; at < length; at++)
                    {
                        float[] values = Extremes(type, length);
                        values[at] = bad;
                        values[^1] = at == length - 1 ? bad : float.NaN;
                        Assert.Equal(at, Find(type, values));
                    }
            }
    }

    [Fact]
    public void A_long_weight_is_searched_to_its_end()
    {
        var values = new float[(1 << 20) + 3];
        values[^1] = float.NegativeInfinity;
        Assert.Equal(values.Length - 1, Find(DType.BF16, values));
        Assert.Equal(values.Length - 1, Finite.IndexOfNonFinite(values));
    }

    private static long Find(DType type, float[] values)
    {
        var weights = new TestWeights();
        weights.Add("w", type, new Shape(values.Length), values);
        using WeightData data = weights.Open("w");
        long found = Finite.IndexOfNonFinite(data);
        if (type == DType.F32) Assert.Equal(found, Finite.IndexOfNonFinite(values));
        return found;
    }

    /// <summary>Zeros, subnormals and the largest values of the type, of both signs.</summary>
    private static float[] Extremes(DType type, int length)
    {
        float largest = type == DType.F16 ? 65504 : BFloat16.Round(3.3e38f);
        float[] pattern = [0, -0f, largest, -largest, 6e-8f, -1, 1];
        return [.. Enumerable.Range(0, length).Select(i => pattern[i % pattern.Length])];
    }
}
