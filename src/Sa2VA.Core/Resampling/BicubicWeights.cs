namespace Sa2VA.Core;

/// <summary>
/// Which source samples make a target sample along one axis, and with what weight: Pillow's bicubic (a = −0.5), antialiased when shrinking
/// (docs/model/preprocessing.md#bicubic-resize). PyTorch has the same, and another fixed point.
/// </summary>
public sealed class BicubicWeights
{
    /// <summary>Weights of one axis.</summary>
    /// <param name="from">Source samples, at least 1.</param>
    /// <param name="to">Target samples, at least 1.</param>
    public BicubicWeights(int from, int to)
    {
        double scale = (double)from / to, filterScale = Math.Max(scale, 1), support = 2 * filterScale, shrink = 1 / filterScale;
        Stride = (int)Math.Ceiling(support) * 2 + 1;
        (First, Count, Weights) = (new int[to], new int[to], new double[(long)to * Stride]);
        for (int i = 0; i < to; i++)
        {
            double center = (i + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0), count = Math.Min((int)(center + support + 0.5), from) - first;
            Span<double> weights = Weights.AsSpan(i * Stride, count);
            double sum = 0;
            for (int k = 0; k < count; k++) sum += weights[k] = Kernel((k + first - center + 0.5) * shrink);
            for (int k = 0; k < count && sum != 0; k++) weights[k] /= sum;
            (First[i], Count[i]) = (first, count);
        }
    }

    /// <summary>First source sample of each target sample; never decreases.</summary>
    public int[] First { get; }

    /// <summary>Number of source samples of each target sample.</summary>
    public int[] Count { get; }

    /// <summary>[target, Stride]; of each row the first Count entries are used, and add up to 1.</summary>
    public double[] Weights { get; }

    /// <summary>The most taps that any target sample can have.</summary>
    public int Stride { get; }

    private static double Kernel(double x)
    {
        const double a = -0.5;
        x = Math.Abs(x);
        if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
}
