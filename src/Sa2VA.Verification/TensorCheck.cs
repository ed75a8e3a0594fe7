using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>One output against its record.</summary>
/// <param name="Name">The output, such as <c>out.y</c>; in parentheses the kernel where several compute the same.</param>
/// <param name="Count">Elements compared.</param>
/// <param name="MaxError">Largest difference; NaN if an element is NaN.</param>
/// <param name="RmsError">Root mean square of the differences.</param>
/// <param name="MaxAllowed">What <paramref name="MaxError"/> must not exceed; 0 for exact outputs.</param>
/// <param name="RmsAllowed">What <paramref name="RmsError"/> must not exceed.</param>
/// <param name="MaxValue">Largest magnitude of the record.</param>
/// <param name="RmsValue">Root mean square of the record.</param>
/// <param name="Problem">Why nothing could be compared: missing, another shape or type; else null.</param>
public sealed record TensorCheck(string Name, long Count, double MaxError, double RmsError, double MaxAllowed, double RmsAllowed,
    double MaxValue, double RmsValue, string? Problem = null)
{
    /// <summary>Where the bound comes from, where there is more than one place; else null.</summary>
    public string? Rule { get; private init; }

    /// <summary>
    /// Choices that fell otherwise than the recorded ones, between numbers that bf16 does not tell apart: no errors, and not equal either.
    /// </summary>
    public int Ties { get; private init; }

    /// <summary>Lowest IoU, where masks are compared: errors are then 1 − IoU; else null.</summary>
    public double? LowestIou { get; private init; }

    /// <summary>
    /// Lowest IoU of the reference implementation's own bf16 with its float32 on videos of this checkpoint, to judge
    /// <see cref="LowestIou"/> by; null where it is not recorded.
    /// </summary>
    public double? ReferenceIou { get; private init; }

    /// <summary>True if it was compared and both errors are within bounds, or if nothing could be compared but ties.</summary>
    public bool Passed => Problem is null && (Count > 0 || Ties > 0) && MaxError <= MaxAllowed && RmsError <= RmsAllowed;

    /// <summary>True if equality was asked for.</summary>
    public bool IsExact => MaxAllowed == 0;

    /// <summary><see cref="RmsError"/> relative to the record's; the error itself where the record is zero.</summary>
    public double RelativeRms => RmsValue > 0 ? RmsError / RmsValue : RmsError;

    /// <summary><see cref="MaxError"/> relative to the record's largest magnitude; the error itself where the record is zero.</summary>
    public double RelativeMax => MaxValue > 0 ? MaxError / MaxValue : MaxError;

    internal static TensorCheck Failed(string name, string problem) => new(name, 0, double.NaN, double.NaN, 0, 0, 0, 0, problem);

    /// <summary>Choices that make what follows from them incomparable.</summary>
    internal static TensorCheck Tied(string name, int count) => new(name, 0, 0, 0, 0, 0, 0, 0) { Ties = count };

    /// <summary>Masks of logits above zero, one by one, held to <see cref="MaskBound"/> in bf16.</summary>
    internal static TensorCheck Masks(string name, IEnumerable<(float[] Computed, float[] Recorded)> masks, double? reference)
    {
        int count = 0;
        double worst = 0;
        foreach ((float[] computed, float[] recorded) in masks)
        {
            int both = 0, either = 0;
            for (int i = 0; i < recorded.Length; i++)
            {
                if (computed[i] > 0 && recorded[i] > 0) both++;
                if (computed[i] > 0 || recorded[i] > 0) either++;
            }
            worst = Math.Max(worst, either == 0 ? 0 : 1 - both / (double)either);
            count++;
        }
        double allowed = 1 - MaskBound.Of(Precision.BFloat16).Lowest;
        return new TensorCheck($"{name}, masks", count, worst, worst, allowed, allowed, 1, 1)
        {
            Rule = "IoU", LowestIou = 1 - worst, ReferenceIou = reference,
        };
    }

    /// <summary>The largest of each row of logits is the recorded one, or the two largest recorded ones are a step of bf16 apart.</summary>
    internal static TensorCheck Choices(string name, float[] computed, float[] recorded, int width)
    {
        int wrong = 0, ties = 0, rows = recorded.Length / width;
        for (int r = 0; r < rows; r++)
        {
            ReadOnlySpan<float> ours = computed.AsSpan(r * width, width), theirs = recorded.AsSpan(r * width, width);
            if (LargestOf(ours) == LargestOf(theirs)) continue;
            if (ChoiceTies.IsTie(theirs)) ties++;
            else wrong++;
        }
        return new TensorCheck($"{name}, largest", rows, wrong, wrong, 0, 0, 1, 1) { Ties = ties };
    }

    private static int LargestOf(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
            if (values[i] > values[best]) best = i;
        return best;
    }

    internal static TensorCheck Compare(string name, ReadOnlySpan<float> actual, ReadOnlySpan<float> golden, Tolerance tolerance)
    {
        var sums = new Sums();
        for (int i = 0; i < golden.Length; i++) sums.Add(actual[i], golden[i]);
        return sums.Finish(name, golden.Length, tolerance);
    }

    internal static TensorCheck Compare(string name, ReadOnlySpan<long> actual, ReadOnlySpan<long> golden)
    {
        var sums = new Sums();
        for (int i = 0; i < golden.Length; i++) sums.Add(actual[i], golden[i]);
        return sums.Finish(name, golden.Length, Tolerance.Exact);
    }

    private struct Sums
    {
        private double _errorMax, _errorSquares, _valueMax, _valueSquares;
        private bool _nan;

        public void Add(double actual, double golden)
        {
            double error = Math.Abs(actual - golden), value = Math.Abs(golden);
            _nan |= double.IsNaN(error);
            _errorMax = Math.Max(_errorMax, error);
            _valueMax = Math.Max(_valueMax, value);
            _errorSquares += error * error;
            _valueSquares += value * value;
        }

        public readonly TensorCheck Finish(string name, long count, Tolerance t)
        {
            double n = Math.Max(1, count), rms = Math.Sqrt(_valueSquares / n);
            return new TensorCheck(name, count, _nan ? double.NaN : _errorMax, _nan ? double.NaN : Math.Sqrt(_errorSquares / n),
                t.Max * _valueMax + t.Absolute, t.Rms * rms + t.Absolute, _valueMax, rms)
            {
                Rule = t.Rule,
            };
        }
    }
}
