// ConvTranspose2d. A block has a 64×64 tile of pixels and of four times the output channels.
#include "common/conv_transpose2d.cuh"
#include "common/product.cuh"

KERNEL(256) conv_transpose2d(const ConvTranspose2dArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.x), first_pixel = blockIdx.x * Tile, first_column = blockIdx.y * Tile;
    if (first_pixel >= pixels) return;
    MatrixRows x = {a.x, pixels, first_pixel}, weight = {a.weight, a.weight.rows, first_column};
    product(sums, tiles, x, weight, pixels - first_pixel, a.x.columns);
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int pixel = first_pixel + i / Tile, column = first_column + i % Tile;
        if (pixel < pixels && column < a.weight.rows) store_product(a, pixel, column, sums[i / Tile][i % Tile]);
    }
}
