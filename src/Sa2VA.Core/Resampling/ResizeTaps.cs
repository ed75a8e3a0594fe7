namespace Sa2VA.Core;

/// <summary>
/// The source samples and weights of every output position along one axis, in float32 as PyTorch computes them: another formulation of the
/// same rule moves results by more than rounding (docs/model/tracking.md#bilinear-rule).
/// </summary>
internal sealed class ResizeTaps
{
    private ResizeTaps(int count, int outputs) => (Count, Index, Weight) = (count, new int[count * outputs], new float[count * outputs]);

    /// <summary>Taps per output; unused ones have weight 0 and a valid index.</summary>
    public int Count { get; }

    /// <summary>Source index of tap t of output i at [i·Count + t]; never decreasing in t.</summary>
    public int[] Index { get; }

    /// <summary>Weight at [i·Count + t].</summary>
    public float[] Weight { get; }

    public static ResizeTaps Create(int input, int output, ResizeMode mode) => mode switch
    {
        ResizeMode.Nearest => Nearest(input, output),
        ResizeMode.Bilinear => Bilinear(input, output),
        ResizeMode.Bicubic => Bicubic(input, output),
        _ => Antialias(input, output),
    };

    private static ResizeTaps Nearest(int input, int output)
    {
        var taps = new ResizeTaps(1, output);
        float scale = (float)input / output;
        for (int i = 0; i < output; i++) (taps.Index[i], taps.Weight[i]) = (Math.Min((int)MathF.Floor(i * scale), input - 1), 1);
        return taps;
    }

    private static ResizeTaps Bilinear(int input, int output)
    {
        var taps = new ResizeTaps(2, output);
        float scale = (float)input / output;
        for (int i = 0; i < output; i++)
        {
            float source = MathF.Max(MathF.FusedMultiplyAdd(scale, i + 0.5f, -0.5f), 0);
            int low = Math.Min((int)source, input - 1);
            float t = source - low;
            (taps.Index[2 * i], taps.Weight[2 * i]) = (low, 1 - t);
            (taps.Index[2 * i + 1], taps.Weight[2 * i + 1]) = (Math.Min(low + 1, input - 1), t);
        }
        return taps;
    }

    private static ResizeTaps Bicubic(int input, int output)
    {
        const float a = -0.75f;
        var taps = new ResizeTaps(4, output);
        float scale = (float)input / output;
        for (int i = 0; i < output; i++)
        {
            float source = MathF.FusedMultiplyAdd(scale, i + 0.5f, -0.5f);
            float floor = MathF.Floor(source);
            float t = source - floor;
            for (int k = 0; k < 4; k++) taps.Index[4 * i + k] = Math.Clamp((int)floor - 1 + k, 0, input - 1);
            taps.Weight[4 * i] = Outer(t + 1);
            taps.Weight[4 * i + 1] = Inner(t);
            taps.Weight[4 * i + 2] = Inner(1 - t);
            taps.Weight[4 * i + 3] = Outer(2 - t);
        }
        return taps;

        static float Inner(float x) => ((a + 2) * x - (a + 3)) * x * x + 1;
        static float Outer(float x) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    }

    private static ResizeTaps Antialias(int input, int output)
    {
        float scale = (float)input / output;
        float support = MathF.Max(scale, 1);
        float inverse = scale >= 1 ? 1 / scale : 1;
        var taps = new ResizeTaps((int)MathF.Ceiling(support) * 2 + 1, output);
        for (int i = 0; i < output; i++)
        {
            float center = scale * (i + 0.5f);
            int first = Math.Max((int)(center - support + 0.5f), 0);
            int size = Math.Min((int)(center + support + 0.5f), input) - first;
            Span<float> weights = taps.Weight.AsSpan(i * taps.Count, taps.Count);
            float total = 0;
            for (int k = 0; k < size; k++)
            {
                float x = MathF.Abs((k + first - center + 0.5f) * inverse);
                weights[k] = x < 1 ? 1 - x : 0;
                total += weights[k];
            }
            for (int k = 0; k < taps.Count; k++)
            {
                taps.Index[i * taps.Count + k] = Math.Min(first + k, first + size - 1);
                weights[k] = k < size && total != 0 ? weights[k] / total : 0;
            }
        }
        return taps;
    }
}
