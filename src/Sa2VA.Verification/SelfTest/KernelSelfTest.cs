using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>What a kernel gave on one set of shapes.</summary>
/// <param name="Op">The op.</param>
/// <param name="What">Shapes and choices.</param>
/// <param name="Share">Largest error as a share of what is allowed; where results must be exact, 0.</param>
/// <param name="Problem">What is wrong, or null.</param>
public sealed record KernelCheck(string Op, string What, double Share, string? Problem)
{
    /// <summary>The result, if it came to one: an array of float or of long.</summary>
    public Array? Result { get; init; }
}

/// <summary>
/// Runs every kernel of a backend on a few small shapes and compares with float64 by the rule of <see cref="KernelAccuracy"/>: whether this
/// device, with this driver, computes what it should. Tests say more; this one runs where a program is installed.
/// </summary>
public static class KernelSelfTest
{
    private static readonly OpCase[] Cases =
    [
        .. RowCases.All, .. FusedCases.All, .. SampleCases.All, .. MoveCases.All, .. ProductCases.All, .. MapCases.All,
        .. AttentionCases.All, .. PictureCases.All,
    ];

    /// <summary>How many checks there are.</summary>
    public static int Count(Precision precision) => CasesIn(precision).Count();

    /// <summary>Runs them, one after the other, as they are asked for.</summary>
    /// <param name="backend">What to test; in BF16, results are those of rounded operands.</param>
    /// <param name="cancellation">Stops between two checks.</param>
    public static IEnumerable<KernelCheck> Run(IBackend backend, CancellationToken cancellation = default)
    {
        foreach (OpCase c in CasesIn(backend.Precision))
        {
            cancellation.ThrowIfCancellationRequested();
            yield return Check(c, backend, cancellation);
        }
    }

    private static IEnumerable<OpCase> CasesIn(Precision precision) =>
        Cases.Where(c => c.LeastBits < 16 ? c.LeastBits <= precision.WeightBits() && precision.WeightBits() < 16
            : precision == Precision.BFloat16 || (precision == Precision.Float32 && !c.IsOfBFloat16Alone));

    private static KernelCheck Check(OpCase c, IBackend backend, CancellationToken cancellation)
    {
        try
        {
            var run = new CaseRun(c, backend, cancellation);
            return Check(c, run) with { Result = (Array?)run.Floats ?? run.Integers };
        }
        catch (Sa2VAException e)
        {
            return new KernelCheck(c.Op, c.What, double.PositiveInfinity, e.Message);
        }
    }

    private static KernelCheck Check(OpCase c, CaseRun run)
    {
        double[] reference = c.Result(new CaseValues<double>(c, run));
        if (run.Integers is { } found)
        {
            long[] expected = Array.ConvertAll(reference, v => (long)v);
            int same = found.AsSpan().CommonPrefixLength(expected);
            return same == expected.Length && same == found.Length ? new KernelCheck(c.Op, c.What, 0, null)
                : new KernelCheck(c.Op, c.What, double.PositiveInfinity, FormattableString.Invariant(
                    $"element {same} of the result, which must be exact, is wrong"));
        }
        float[] naive = run.IsNarrow
            ? [.. reference.Select(v => BFloat16.Round((float)v))] : c.Result(new CaseValues<float>(c, run));
        var accuracy = KernelAccuracy.Of(reference, naive, run.Floats!);
        return new KernelCheck(c.Op, c.What, accuracy.Share, accuracy.Problem);
    }
}
