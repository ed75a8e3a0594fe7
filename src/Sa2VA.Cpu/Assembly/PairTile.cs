namespace Sa2VA.Cpu;

/// <summary>What multiplies pairs of bfloat16, and so how sums are rounded (<see cref="ManagedPairs"/> says it in numbers).</summary>
internal enum PairUnit
{
    /// <summary>vdpbf16ps of AVX512-BF16.</summary>
    Dot,
    /// <summary>tdpbf16ps of AMX-BF16.</summary>
    Matrix,
}

/// <summary>
/// One register block of the BF16 product: so many rows of A against the 32 outputs of a panel, 32 inputs (a step) at a time. A lies as
/// [step][row][32], a panel as [step][pair][32 outputs][2].
/// </summary>
/// <param name="Unit">What multiplies.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Adds">True to add to what the result holds, false to replace it.</param>
internal readonly record struct PairTile(PairUnit Unit, int Rows, bool Adds)
{
    /// <summary>Inputs of a step: one instruction of AMX, sixteen of AVX512-BF16.</summary>
    public const int Step = 32;

    /// <summary>
    /// Steps of a product that all rows meet in turn: 16 KB of a panel and as much of A stay in L1, where sums meet them. Part of the
    /// numeric rule of <see cref="PairUnit.Dot"/>.
    /// </summary>
    public const int Chunk = 8;

    /// <summary>
    /// Of AMX: 2×2 tiles of sums take four instructions of 16 cycles for two tiles of A and two of B, four loads of 8 cycles; eight tiles
    /// hold no more. Up to sixteen rows are one tile of as many rows: few chats that decode together cost no more than they need.
    /// Of AVX512-BF16: 12 × 2 sums of 32 registers, as in <see cref="FloatTile"/>; elements of A are broadcast by the instruction itself.
    /// </summary>
    public static IReadOnlyList<PairTile> Of(PairUnit unit)
    {
        IEnumerable<int> rows = unit == PairUnit.Matrix ? Enumerable.Range(1, 16).Append(32) : [1, 4, 8, 12];
        return [.. from count in rows from adds in (bool[])[false, true] select new PairTile(unit, count, adds)];
    }

    /// <summary>Rows of the block that takes the next ones.</summary>
    /// <param name="unit">What multiplies.</param>
    /// <param name="left">Rows that are left.</param>
    /// <param name="all">Rows of which they are left: a matrix unit is set up for those.</param>
    public static int RowsFor(PairUnit unit, int left, int all) => unit == PairUnit.Matrix
        ? all <= 16 ? all : left <= 16 ? 16 : 32
        : left <= 1 ? 1 : left <= 4 ? 4 : left <= 8 ? 8 : 12;
}
