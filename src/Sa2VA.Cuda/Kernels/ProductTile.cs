namespace Sa2VA.Cuda.Kernels;

/// <summary>The tile of <c>kernels/common/product.cuh</c>.</summary>
internal static class ProductTile
{
    public const int Side = 64, Threads = 256;

    /// <summary>Blocks for a result of that many rows and columns.</summary>
    public static Grid GridOf(int rows, int columns) => new((rows + Side - 1) / Side, (columns + Side - 1) / Side);
}
