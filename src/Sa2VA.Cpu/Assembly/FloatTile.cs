using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>One assembled register block of the F32 product: so many rows of A against the 32 outputs of a panel.</summary>
/// <param name="Level">Vector width: 256 or 512 bits.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Weights">What the panel is read from: F32, BF16 or F16, widened in registers.</param>
/// <param name="Adds">True to add the chains to what the result holds, false to replace it.</param>
internal readonly record struct FloatTile(SimdLevel Level, int Rows, DType Weights, bool Adds)
{
    /// <summary>Lanes of a vector.</summary>
    public int Lanes => (int)Level / 32;

    /// <summary>Steps of k between two jumps. Four keep the loop's own instructions below a tenth of all.</summary>
    public static int Unrolled => 4;

    /// <summary>
    /// Those of a width, none of 128 bits, which any machine has to run; the rows are those of <see cref="MicroKernel"/>, so that either
    /// takes what was packed for the other: 12 × 2 sums of 32 zmm leave eight for a row of the panel, for elements of A and for what
    /// widening needs; 6 × 2 of 16 ymm leave four, so constants of widening are read from memory there. Twelve sums hide a multiply-add's
    /// latency of four cycles at two a cycle, with four to spare. Smaller blocks are for what is left of the rows.
    /// </summary>
    public static IReadOnlyList<FloatTile> Of(SimdLevel level)
    {
        int[] rows = level switch { SimdLevel.V512 => [4, 8, 12], SimdLevel.V256 => [4, 6], _ => [] };
        return [.. from type in (DType[])[DType.F32, DType.BF16, DType.F16]
                   from count in rows
                   from adds in (bool[])[false, true]
                   select new FloatTile(level, count, type, adds)];
    }
}
