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
    /// <summary><see cref="BFloat16"/>, with the matrices of the language model in 8 bits (<see cref="Weight.LeastBits"/>).</summary>
    Int8,
    /// <summary><see cref="BFloat16"/>, with the matrices of the language model's layers in 4 bits, its head in 8.</summary>
    Int4,
}

/// <summary>Facts about <see cref="Precision"/>.</summary>
public static class PrecisionExtensions
{
    /// <summary>
    /// The type of the operands that plans hand to each other in bulk: keys and values, rows of image tokens. A memory bank is BF16 in
    /// either precision; a frame's features, which sums begin with, prompts, masks, scores and the language model's last state are F32.
    /// </summary>
    public static DType BoundaryType(this Precision precision) => precision.IsNarrow() ? DType.BF16 : DType.F32;

    /// <summary>True where operands are stored in 16 bits: in all but <see cref="Precision.Float32"/>.</summary>
    public static bool IsNarrow(this Precision precision) => precision != Precision.Float32;

    /// <summary>Bits of a matrix weight that may be stored in so few; 16 where none may.</summary>
    public static int WeightBits(this Precision precision) => precision switch
    {
        Precision.Int8 => 8,
        Precision.Int4 => 4,
        _ => 16,
    };

    /// <summary>Short name, as of <c>--precision</c>: f32, bf16, int8, int4.</summary>
    public static string Name(this Precision precision) => precision switch
    {
        Precision.Float32 => "f32",
        Precision.BFloat16 => "bf16",
        Precision.Int8 => "int8",
        _ => "int4",
    };
}
