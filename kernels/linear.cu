// Linear. A block has a 64×64 tile of y; where there are few rows, 4×8.
#include "common/linear.cuh"
#include "common/few_rows.cuh"
#include "common/math.cuh"

DEVICE void finish(const LinearArguments& a, int row, int column, float y)
{
    if (a.bias) y = y + a.bias[column];
    y = activate(y, a.activation);
    if (a.scale) y = y * a.scale[column];
    if (a.residual.data) y = load(a.residual, at(a.residual, row, column)) + y;
    store(a.y, at(a.y, row, column), y);
}

KERNEL(256) linear(const LinearArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * Tile, first_column = blockIdx.y * Tile;
    if (first_row >= rows) return;
    MatrixRows x = {a.x, rows, first_row}, weight = {a.weight, a.weight.rows, first_column};
    product(sums, tiles, x, weight, rows - first_row, a.x.columns);
#pragma unroll 1
    for (int i = threadIdx.x; i < Tile * Tile; i += 256)
    {
        int row = first_row + i / Tile, column = first_column + i % Tile;
        if (row < rows && column < a.weight.rows) finish(a, row, column, sums[i / Tile][i % Tile]);
    }
}

KERNEL(256) linear_few_rows(const LinearArguments a)
{
    __shared__ FewRowsTiles tiles;
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * FewRows, first_column = blockIdx.y * FewColumns;
    if (first_row >= rows) return;
    float y = few_rows_product(tiles, a.x, a.weight, first_row, rows, first_column);
    int row = first_row + threadIdx.x / FewColumns, column = first_column + threadIdx.x % FewColumns;
    if (threadIdx.x < FewRows * FewColumns && row < rows && column < a.weight.rows) finish(a, row, column, y);
}
