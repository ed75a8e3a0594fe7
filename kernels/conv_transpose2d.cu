// ConvTranspose2d: an input pixel times [4·Co, Ci] is the four output pixels that it alone feeds. A block has a 64×64 tile of that product.
// Maps of a batch follow each other, so pixels count on from one to the next.
#include "common/product.cuh"

struct ConvTranspose2dArguments
{
    Run run;
    View x, weight, residual, y;
    const float* bias;
    // Of an input map.
    int width;
};

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
        if (pixel >= pixels || column >= a.weight.rows) continue;
        int tap = column / a.y.columns, channel = column - tap * a.y.columns, line = pixel / a.width;
        i64 target = (2 * (i64)line + tap / 2) * (2 * a.width) + 2 * (pixel - line * a.width) + tap % 2;
        float y = sums[i / Tile][i % Tile];
        if (a.bias) y = y + a.bias[channel];
        // One map may be added to the results of all.
        if (a.residual.data) y = y + load(a.residual, at(a.residual, target % a.residual.rows, channel));
        store(a.y, at(a.y, target, channel), y);
    }
}
