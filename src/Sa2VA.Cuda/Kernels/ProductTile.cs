namespace Sa2VA.Cuda.Kernels;

/// <summary>The tile of <c>kernels/common/product.cuh</c>.</summary>
internal static class ProductTile
{
    public static ProductBlock Block => new(64, 64, 256, 0);
}
