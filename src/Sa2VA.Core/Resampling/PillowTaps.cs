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
        var real = new BicubicWeights(from, to);
        (First, Count, Stride) = (real.First, real.Count, real.Stride);
        Weights = Array.ConvertAll(real.Weights, w => (int)(w * (1 << FractionBits) + (w < 0 ? -0.5 : 0.5)));
    }

    /// <summary>First source sample of each target sample; never decreases.</summary>
    public int[] First { get; }

    /// <summary>Number of source samples of each target sample.</summary>
    public int[] Count { get; }

    /// <summary>[target, Stride]; of each row the first Count entries are used.</summary>
    public int[] Weights { get; }

    /// <summary>The most taps that any target sample can have.</summary>
    public int Stride { get; }
}
