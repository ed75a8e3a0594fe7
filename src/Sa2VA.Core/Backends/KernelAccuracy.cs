namespace Sa2VA.Core;

/// <summary>
/// How correct a kernel is: it may be no further from a float64 reference than twice (in the maximum) and 1.5 times (in the mean) what the
/// same op in plain float32 loops is, plus a floor of the type's own rounding. One rule for every op and backend, in tests and self-tests.
/// </summary>
/// <param name="MaxError">Largest error.</param>
/// <param name="MaxAllowed">The largest that there may be.</param>
/// <param name="RmsError">Root of the mean square error.</param>
/// <param name="RmsAllowed">The largest that it may be.</param>
public readonly record struct KernelAccuracy(double MaxError, double MaxAllowed, double RmsError, double RmsAllowed)
{
    /// <summary>The element that is not a number, or −1.</summary>
    public int Undefined { get; private init; } = -1;

    /// <summary>The error as a share of what is allowed: at most 1 if the rule holds.</summary>
    public double Share => Undefined >= 0 ? double.PositiveInfinity : Math.Max(Ratio(MaxError, MaxAllowed), Ratio(RmsError, RmsAllowed));

    /// <summary>What is wrong, in words; null if the rule holds.</summary>
    public string? Problem => Undefined >= 0 ? FormattableString.Invariant($"element {Undefined} is no number")
        : MaxError > MaxAllowed ? FormattableString.Invariant($"the largest error is {MaxError:E2}, {MaxAllowed:E2} is allowed")
        : RmsError > RmsAllowed ? FormattableString.Invariant($"the rms error is {RmsError:E2}, {RmsAllowed:E2} is allowed")
        : null;

    /// <summary>Judges a result.</summary>
    /// <param name="reference">The op in float64.</param>
    /// <param name="naive">The op in plain float32 loops.</param>
    /// <param name="output">The kernel's result.</param>
    /// <exception cref="ArgumentException">They are of different lengths.</exception>
    public static KernelAccuracy Of(ReadOnlySpan<double> reference, ReadOnlySpan<float> naive, ReadOnlySpan<float> output)
    {
        if (naive.Length != reference.Length || output.Length != reference.Length)
            throw new ArgumentException($"{reference.Length}, {naive.Length} and {output.Length} elements cannot be compared.");
        double naiveMax = 0, outMax = 0, naiveSum = 0, outSum = 0, floor = 0;
        for (int i = 0; i < reference.Length; i++)
        {
            double n = Math.Abs(naive[i] - reference[i]), o = Math.Abs(output[i] - reference[i]);
            if (double.IsNaN(o)) return default(KernelAccuracy) with { Undefined = i };
            naiveMax = Math.Max(naiveMax, n);
            outMax = Math.Max(outMax, o);
            naiveSum += n * n;
            outSum += o * o;
            float r = (float)reference[i];
            floor = Math.Max(floor, Math.Abs((double)(r + 0.3f - 0.3f) - r));
        }
        floor *= 2;
        double naiveRms = Math.Sqrt(naiveSum / Math.Max(1, reference.Length)), outRms = Math.Sqrt(outSum / Math.Max(1, reference.Length));
        return new KernelAccuracy(outMax, 2 * naiveMax + floor, outRms, 1.5 * naiveRms + floor);
    }

    private static double Ratio(double error, double allowed) => error == 0 ? 0 : error / allowed;
}
