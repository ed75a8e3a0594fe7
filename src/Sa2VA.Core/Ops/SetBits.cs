namespace Sa2VA.Core;

/// <summary>
/// Rows of bits with one more set in each, 32 to an integer, bit i of a row being bit i mod 32 of its integer ⌊i / 32⌋: which tokens a
/// sequence holds.
/// </summary>
public sealed class SetBits : Op
{
    internal SetBits(Tensor bits, Tensor index) => Inputs = [bits, index];
}

/// <summary>Recording of <see cref="SetBits"/>.</summary>
public static class SetBitsExtensions
{
    /// <summary>
    /// Records rows of bits with bit index[r] of row r set as well; an index that is negative or beyond the row sets none.
    /// </summary>
    /// <param name="g">Graph.</param>
    /// <param name="bits">I32 [n, words].</param>
    /// <param name="index">I32 [n].</param>
    public static Tensor SetBits(this GraphBuilder g, Tensor bits, Tensor index)
    {
        if (bits.Type != DType.I32 || bits.Shape.Rank != 2 || !index.ListsRowsOf(bits))
            throw g.Error(nameof(SetBits), $"{index} does not list a bit for each row of {bits}.");
        return g.Record(new SetBits(bits, index), DType.I32, bits.Shape, bits.Length);
    }
}
