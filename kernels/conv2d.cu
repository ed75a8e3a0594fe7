// Conv2d. A block has a 64×64 tile of pixels and output channels.
#include "common/conv2d.cuh"
#include "common/product.cuh"

KERNEL(256) conv2d(const Conv2dArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int pixels = rows_of(a.run, a.y), first_pixel = blockIdx.x * Tile, first_channel = blockIdx.y * Tile;
    if (first_pixel >= pixels) return;
    MatrixRows weight = {a.weight, a.weight.rows, first_channel};
    product(sums, tiles, Patches{a, pixels, first_pixel}, weight, pixels - first_pixel, a.weight.columns);
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int pixel = first_pixel + i / Tile, channel = first_channel + i % Tile;
        if (pixel >= pixels || channel >= a.weight.rows) continue;
        float y = sums[i / Tile][i % Tile];
        if (a.bias) y = y + a.bias[channel];
        store(a.y, at(a.y, pixel, channel), y);
    }
}
