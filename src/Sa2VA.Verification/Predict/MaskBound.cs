using Sa2VA.Core;

namespace Sa2VA.Verification;

/// <summary>How well recorded masks must be met (docs/model/verification.md#recorded-answers).</summary>
/// <param name="Precision">How numbers are stored.</param>
/// <param name="Lowest">Least IoU of any mask.</param>
/// <param name="Median">Least median over an object's frames.</param>
public sealed record MaskBound(Precision Precision, double Lowest, double Median)
{
    /// <summary>In F32 0.995 and 0.999, in bf16 0.99 for every mask.</summary>
    public static MaskBound Of(Precision precision) =>
        precision == Precision.Float32 ? new MaskBound(precision, 0.995, 0.999) : new MaskBound(precision, 0.99, 0.99);
}
