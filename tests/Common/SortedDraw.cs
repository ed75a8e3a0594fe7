using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>The definition of <see cref="Core.Sample"/> as it is written: numbers sorted, weights added one after the other.</summary>
internal static class SortedDraw
{
    public static int Of(ReadOnlySpan<float> row, SamplingChoice choice)
    {
        float[] x = row.ToArray();
        float largest = x.Max();
        if (choice.Temperature == 0) return Array.IndexOf(x, largest);
        float[] distances = [.. x.Select(v => (largest - v) / choice.Temperature)];
        int[] order = [.. Enumerable.Range(0, x.Length).OrderBy(i => distances[i]).ThenBy(i => i)];
        if (choice.TopK > 0) order = order[..Math.Min(choice.TopK, order.Length)];
        UInt128 total = Sum(order), share = (UInt128)(ulong)((double)choice.TopP * SamplingChoice.Whole), before = 0;
        int left = 0;
        for (; left < order.Length && (left == 0 || before * SamplingChoice.Whole < share * total); left++)
            before += Weight(distances[order[left]]);
        if (choice.TopP < 1) order = order[..left];
        UInt128 point = (UInt128)(uint)choice.Draw * Sum(order) >> 31, sum = 0;
        foreach (int i in order.Order())
        {
            sum += Weight(distances[i]);
            if (sum > point) return i;
        }
        throw new InvalidOperationException("The point lies behind all.");

        UInt128 Sum(int[] of) => of.Aggregate((UInt128)0, (s, i) => s + Weight(distances[i]));
    }

    /// <summary>e^−distance, rounded to float32 by the kernels' polynomial, in whole units of 2⁻³¹.</summary>
    private static uint Weight(float distance)
    {
        if (distance > 22) return 0;
        float n = MathF.Round(-distance * 1.442695041f);
        float r = MathF.FusedMultiplyAdd(n, 2.12194440e-4f, MathF.FusedMultiplyAdd(n, -0.693359375f, -distance)), p = 1.9875691500e-4f;
        foreach (float c in (float[])[1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f])
            p = MathF.FusedMultiplyAdd(p, r, c);
        return (uint)(MathF.FusedMultiplyAdd(p, r * r, r + 1) * Math.Pow(2, n + 31));
    }
}
