namespace Sa2VA.Cuda.Kernels;

/// <summary>The tile of <c>kernels/common/few_rows.cuh</c>.</summary>
internal static class FewRowsTile
{
    private const int Rows = 4, Columns = 8, Chain = 64, MostChains = 32;

    // As many as one block of the plain kernel has, which takes as long for one of them as for all.
    private const int MostRows = 64;

    /// <summary>True if a product of at most that many rows is made of such tiles: a matter of speed, not of bits.</summary>
    public static bool Suits(long rows, int depth) => rows <= MostRows && depth % 8 == 0;

    /// <summary>Threads for the chains of eight columns, whole warps of them.</summary>
    public static ProductBlock Block(int depth) =>
        new(Rows, Columns, Columns * Math.Min(MostChains, (depth + 4 * Chain - 1) / (4 * Chain) * 4), 0);
}
