// LinearArgMax. A block has a 64×64 tile of the product.
#include "common/linear_arg_max.cuh"
#include "common/product.cuh"

KERNEL(256) linear_arg_max(const LinearArgMaxArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * Tile, first_column = blockIdx.y * Tile;
    if (first_row >= rows) return;
    MatrixRows x = {a.x, rows, first_row}, weight = {a.weight, a.weight.rows, first_column};
    product(sums, tiles, x, weight, rows - first_row, a.x.columns);
    keep_best<4>(a, sums[threadIdx.x / 4], Tile, first_row + threadIdx.x / 4, first_column);
}

KERNEL(256) linear_arg_max_choose(const LinearArgMaxArguments a)
{
    if (is_stopped(a.run) || (int)blockIdx.x >= rows_of(a.run, a.x)) return;
    Best best = best_of_none();
    for (int i = threadIdx.x; i < a.candidates; i += Block) best = Better()(best, a.best[(i64)blockIdx.x * a.candidates + i]);
    best = team_reduce<Block>(best, Better());
    if (threadIdx.x == 0) a.y[blockIdx.x] = best.index;
}
