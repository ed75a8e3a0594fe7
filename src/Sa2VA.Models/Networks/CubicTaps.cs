namespace Sa2VA.Models;

/// <summary>
/// Keys' cubic convolution with A = −0.75, four taps clamped to the border, no antialias: how PyTorch resamples position tables. Tables
/// depend on weights alone, so they are resampled once, when a graph is recorded.
/// </summary>
internal readonly record struct CubicTaps(int I0, int I1, int I2, int I3, float W0, float W1, float W2, float W3)
{
    private const float A = -0.75f;

    /// <summary>Taps of every output sample of one axis.</summary>
    public static CubicTaps[] Axis(int from, int to)
    {
        float scale = (float)from / to;
        var taps = new CubicTaps[to];
        for (int i = 0; i < to; i++)
        {
            float source = MathF.FusedMultiplyAdd(scale, i + 0.5f, -0.5f);
            int floor = (int)MathF.Floor(source);
            float t = source - floor;
            taps[i] = new CubicTaps(
                Clamp(floor - 1), Clamp(floor), Clamp(floor + 1), Clamp(floor + 2), Outer(t + 1), Inner(t), Inner(1 - t), Outer(2 - t));
        }
        return taps;

        int Clamp(int index) => Math.Clamp(index, 0, from - 1);
        static float Inner(float x) => ((A + 2) * x - (A + 3)) * x * x + 1;
        static float Outer(float x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
    }

    /// <summary>One output sample of values that are <paramref name="step"/> elements apart.</summary>
    public float Apply(float[] values, int start, int step) =>
        values[start + I0 * step] * W0 + values[start + I1 * step] * W1 + values[start + I2 * step] * W2 + values[start + I3 * step] * W3;
}
