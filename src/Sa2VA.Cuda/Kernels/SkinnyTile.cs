namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A tile of <c>kernels/common/skinny_product.cuh</c>: a few rows, of a depth that is cut into parts for the warps of a block. Its width is
/// a matter of speed alone.
/// </summary>
/// <param name="Columns">Columns of a block's results.</param>
/// <param name="Stages">Stages of a warp's ring: what fits where a block has no more than 99 KB.</param>
/// <param name="Bits">Bits of a weight: 16, or those of codes.</param>
internal sealed record SkinnyTile(int Columns, int Stages, int Bits = 16)
{
    private const int MostRows = 16, Parts = 8, Depth = 64;

    // A chain of so many products takes no longer than a launch.
    private const int ShallowDepth = 512;

    /// <summary>Fewest blocks and least of the rows for a weight's row that is read.</summary>
    public static readonly SkinnyTile Wide = new(32, 2);

    /// <summary>Where 32 columns leave multiprocessors without a block.</summary>
    public static readonly SkinnyTile Middle = new(16, 3);

    /// <summary>Where 16 columns do.</summary>
    public static readonly SkinnyTile Narrow = new(8, 4);

    /// <summary>Codes of 8 bits: the rows of x fill half of the ring, so wide blocks have room for a third stage.</summary>
    public static readonly SkinnyTile WideInt8 = new(32, 3, 8);

    /// <summary>Where 32 columns leave multiprocessors without a block.</summary>
    public static readonly SkinnyTile NarrowInt8 = new(16, 4, 8);

    /// <summary>Codes of 4 bits.</summary>
    public static readonly SkinnyTile WideInt4 = new(32, 4, 4);

    /// <summary>Where 32 columns leave multiprocessors without a block.</summary>
    public static readonly SkinnyTile NarrowInt4 = new(16, 4, 4);

    /// <summary>What kernels are called by it.</summary>
    public string Name => $"skinny_{Columns}" + (Bits < 16 ? $"_int{Bits}" : "");

    public ProductBlock Block => new(MostRows, Columns, 32 * Parts, Parts * Stages * (MostRows * 16 + Columns * Bits) * Depth / 8);

    /// <summary>True if a product of at most that many rows is made of such tiles. A question of its size, never of the device.</summary>
    public static bool Suits(long rows, int depth) => rows <= MostRows && depth > ShallowDepth;

    /// <summary>The widest of some, wide ones first, that gives three quarters of the multiprocessors a block; else the last.</summary>
    public static SkinnyTile Best(ReadOnlySpan<SkinnyTile> tiles, int columns, int multiprocessors)
    {
        foreach (SkinnyTile tile in tiles)
            if ((columns + tile.Columns - 1) / tile.Columns >= multiprocessors * 3 / 4) return tile;
        return tiles[^1];
    }
}
