// MatMul: y = a·bᵀ, for each of several products that stand under each other. A block has a 64×64 tile of one of them.
#include "common/product.cuh"

struct MatMulArguments
{
    Run run;
    View a, b, y;
    // Rows of one product.
    int a_rows, b_rows;
};

KERNEL(256) mat_mul(const MatMulArguments p)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(p.run)) return;
    int tiles_each = (p.a_rows + Tile - 1) / Tile, one = blockIdx.x / tiles_each;
    int first_row = one * p.a_rows + blockIdx.x % tiles_each * Tile, end_row = least((one + 1) * p.a_rows, rows_of(p.run, p.a));
    int first_column = blockIdx.y * Tile, end_column = (one + 1) * p.b_rows;
    if (first_row >= end_row) return;
    MatrixRows a = {p.a, end_row, first_row}, b = {p.b, end_column, one * p.b_rows + first_column};
    product(sums, tiles, a, b, end_row - first_row, p.a.columns);
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int row = first_row + i / Tile, column = first_column + i % Tile;
        if (row < end_row && column < p.b_rows) store(p.y, at(p.y, row, column), sums[i / Tile][i % Tile]);
    }
}
