namespace Sa2VA.Core;

/// <summary>
/// How many bits a backend stores numbers in, where few suffice. Sums are always F32, and so is what must be exact: residual streams,
/// logits, masks, scores, the statistics of norms and softmax.
/// </summary>
public enum Precision
{
    /// <summary>F32 throughout; matrix weights as they are stored.</summary>
    Float32,
    /// <summary>
    /// BF16 for the operands of matrix products and attention, and for what plans hand to each other in bulk (<see
    /// cref="PrecisionExtensions.BoundaryType"/>). Half the memory, and what tensor cores multiply.
    /// </summary>
    BFloat16,
}

/// <summary>Facts about <see cref="Precision"/>.</summary>
public static class PrecisionExtensions
{
    /// <summary>
    /// The type of the operands that plans hand to each other in bulk: keys and values, rows of image tokens. A memory bank is BF16 in
    /// either precision; a frame's features, which sums begin with, prompts, masks, scores and the language model's last state are F32.
    /// </summary>
    public static DType BoundaryType(this Precision precision) => precision == Precision.BFloat16 ? DType.BF16 : DType.F32;
}
