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
    /// <summary>True if it was compared and both errors are within bounds.</summary>
    public bool Passed => Problem is null && Count > 0 && MaxError <= MaxAllowed && RmsError <= RmsAllowed;

    /// <summary>True if equality was asked for.</summary>
    public bool IsExact => MaxAllowed == 0;

    /// <summary><see cref="RmsError"/> relative to the record's; the error itself where the record is zero.</summary>
    public double RelativeRms => RmsValue > 0 ? RmsError / RmsValue : RmsError;

    /// <summary><see cref="MaxError"/> relative to the record's largest magnitude; the error itself where the record is zero.</summary>
    public double RelativeMax => MaxValue > 0 ? MaxError / MaxValue : MaxError;

    internal static TensorCheck Failed(string name, string problem) => new(name, 0, double.NaN, double.NaN, 0, 0, 0, 0, problem);

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
                t.Max * _valueMax + t.Absolute, t.Rms * rms + t.Absolute, _valueMax, rms);
        }
    }
}
