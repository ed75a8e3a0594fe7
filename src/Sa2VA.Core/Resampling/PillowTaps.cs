namespace Sa2VA.Core;

/// <summary>
/// Which source samples make a target sample along one axis, and with what weight: Pillow's bicubic (a = −0.5), antialiased when shrinking,
/// weights as fixed point with 22 fraction bits (docs/model/preprocessing.md#bicubic-resize).
/// </summary>
public sealed class PillowTaps
{
    /// <summary>Bits behind the point of a weight.</summary>
    public const int FractionBits = 22;

    /// <summary>Taps of one axis.</summary>
    /// <param name="from">Source samples, at least 1.</param>
    /// <param name="to">Target samples, at least 1.</param>
    public PillowTaps(int from, int to)
    {
        double scale = (double)from / to, filterScale = Math.Max(scale, 1), support = 2 * filterScale, shrink = 1 / filterScale;
        Stride = (int)Math.Ceiling(support) * 2 + 1;
        (First, Count, Weights) = (new int[to], new int[to], new int[to * Stride]);
        var weights = new double[Stride];
        for (int i = 0; i < to; i++)
        {
            double center = (i + 0.5) * scale;
            int first = Math.Max((int)(center - support + 0.5), 0), count = Math.Min((int)(center + support + 0.5), from) - first;
            double sum = 0;
            for (int k = 0; k < count; k++) sum += weights[k] = Kernel((k + first - center + 0.5) * shrink);
            for (int k = 0; k < count; k++)
            {
                double w = sum != 0 ? weights[k] / sum : weights[k];
                Weights[i * Stride + k] = (int)(w * (1 << FractionBits) + (w < 0 ? -0.5 : 0.5));
            }
            (First[i], Count[i]) = (first, count);
        }
    }

    /// <summary>First source sample of each target sample; never decreases.</summary>
    public int[] First { get; }

    /// <summary>Number of source samples of each target sample.</summary>
    public int[] Count { get; }

    /// <summary>[target, Stride]; of each row the first Count entries are used.</summary>
    public int[] Weights { get; }

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
