using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>How well the masks of a recorded answer must be met (docs/model/verification.md#recorded-answers).</summary>
/// <param name="Precision">How numbers are stored.</param>
/// <param name="Lowest">Least IoU of any mask.</param>
/// <param name="Median">Least median over an object's frames.</param>
/// <param name="Rule">Where it comes from.</param>
public sealed record MaskBound(Precision Precision, double Lowest, double Median, string Rule)
{
    private const double InBFloat16 = 0.99;

    /// <summary>
    /// In F32 0.995 and 0.999. In bf16 0.99, or the least that the reference implementation's own bf16 has with this model where that is
    /// less.
    /// </summary>
    /// <exception cref="CheckpointException">What is recorded of it is broken.</exception>
    public static MaskBound Of(PredictCase predict, Precision precision)
    {
        ArgumentNullException.ThrowIfNull(predict);
        if (precision == Precision.Float32) return new MaskBound(precision, 0.995, 0.999, "float32");
        double least = Math.Min(InBFloat16, RecordedErrors.Near(predict.Path).LowestIou(predict.Model) ?? 1);
        return new MaskBound(precision, least, least, least < InBFloat16 ? "the reference's own bf16" : "0.99");
    }
}
