// GatedLinear. A block has a 64×64 tile of y.
#include "common/gated_linear.cuh"
#include "common/product.cuh"
#include "common/math.cuh"

KERNEL(256) gated_linear(const GatedLinearArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile gates, ups;
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * Tile, first_column = blockIdx.y * Tile, half = a.weight.rows / 2;
    if (first_row >= rows) return;
    MatrixRows x = {a.x, rows, first_row};
    product(gates, tiles, x, MatrixRows{a.weight, half, first_column}, rows - first_row, a.x.columns);
    product(ups, tiles, x, MatrixRows{a.weight, a.weight.rows, half + first_column}, rows - first_row, a.x.columns);
#pragma unroll 1
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int row = first_row + i / Tile, column = first_column + i % Tile;
        if (row < rows && column < half) store(a.y, at(a.y, row, column), silu(gates[i / Tile][i % Tile]) * ups[i / Tile][i % Tile]);
    }
}
