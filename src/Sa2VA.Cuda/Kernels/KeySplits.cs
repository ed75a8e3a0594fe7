using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// How FlashAttention's keys are cut, as <c>kernels/common/flash_attention.cuh</c> counts: into splits that blocks attend to beside each
/// other, where a block for all keys of its queries would leave multiprocessors empty. Whether and where keys are cut decides bits, so it
/// depends on the width of heads and on a key's place alone, not on how many queries or segments there are.
/// </summary>
/// <param name="Op">The attention.</param>
/// <param name="Keys">Keys of a split.</param>
internal sealed record KeySplits(FlashAttention Op, int Keys)
{
    /// <summary>Query rows of a block of flash_attention_combine, and its threads.</summary>
    public const int CombineRows = 8, CombineThreads = 256;

    /// <summary>Null where a segment never has more than one split, which has the bits of one that is not cut.</summary>
    public static KeySplits? Of(FlashAttention op, int keys)
    {
        if (keys == 0 || op.Causal) return null;
        var splits = new KeySplits(op, keys);
        return splits.MostOfSegment > 1 ? splits : null;
    }

    /// <summary>Splits that a segment has on average, rounded down.</summary>
    public int OfSegment => (int)(OfAll / Op.Groups);

    /// <summary>Bytes of what splits leave for each other: sums, largest score and total of each query row and head.</summary>
    public long Bytes => Rows * Op.Heads * (Op.ValueDim + 2) * sizeof(float);

    /// <summary>Blocks of that many query rows that a run can have.</summary>
    public long BlocksOf(int rows) => Op.Segments?.QueryOffsets is null ? (RowsOfSegment + rows - 1) / rows * OfAll
        : (Op.Inputs[0].Shape.Rows / rows + Op.Groups) * MostOfSegment;

    private long Rows => Op.Segments?.QueryOffsets is null ? RowsOfSegment * OfAll : Op.Inputs[0].Shape.Rows * MostOfSegment;

    private long RowsOfSegment => Op.Inputs[0].Shape.Rows / Op.Groups;

    private long MostOfSegment => (Capacity + Keys - 1) / Keys;

    private long Capacity => Op.Segments?.Capacity(Op.Inputs[1]) ?? Op.Inputs[1].Shape.Rows / Op.Groups;

    /// <summary>Splits that all segments can have together; each may have one that is not full.</summary>
    private long OfAll => Op.Segments is null ? Op.Groups * MostOfSegment
        : Math.Min(Op.Groups * MostOfSegment, Op.Segments.TotalCapacity(Op.Inputs[1]) / Keys + Op.Groups);
}
