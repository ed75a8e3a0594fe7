namespace Sa2VA.Tests;

/// <summary>
/// How correct a kernel must be: no further from a float64 reference than twice (in the maximum) and 1.5 times (in the mean) what the same
/// op in plain float32 loops is, plus a floor of the type's own rounding.
/// </summary>
internal static class Float64Rule
{
    public static void Check(ReadOnlySpan<double> reference, ReadOnlySpan<float> naive, ReadOnlySpan<float> output, string what)
    {
        Assert.Equal(reference.Length, naive.Length);
        Assert.Equal(reference.Length, output.Length);
        double naiveMax = 0, outMax = 0, naiveSum = 0, outSum = 0, floor = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double n = Math.Abs(naive[i] - reference[i]), o = Math.Abs(output[i] - reference[i]);
            if (double.IsNaN(o)) Assert.Fail($"{what}: element {i} is {output[i]}, the reference is {reference[i]:R}.");
            naiveMax = Math.Max(naiveMax, n);
            outMax = Math.Max(outMax, o);
            naiveSum += n * n;
            outSum += o * o;
            float r = (float)reference[i];
            floor = Math.Max(floor, Math.Abs((double)(r + 0.3f - 0.3f) - r));
        }
        floor *= 2;
        double naiveRms = Math.Sqrt(naiveSum / Math.Max(1, reference.Length)), outRms = Math.Sqrt(outSum / Math.Max(1, reference.Length));
        Assert.True(outMax <= 2 * naiveMax + floor, $"{what}: max error {outMax:E2}, naive {naiveMax:E2}, floor {floor:E2}.");
        Assert.True(outRms <= 1.5 * naiveRms + floor, $"{what}: rms error {outRms:E2}, naive {naiveRms:E2}, floor {floor:E2}.");
    }
}
