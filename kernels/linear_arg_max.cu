// LinearArgMax: where each row of x·Wᵀ, which is not stored, is largest. The first kernel leaves the best of every 64 columns, the second
// chooses among those.
#include "common/product.cuh"

struct Candidate
{
    float value;
    int column;
};

struct LinearArgMaxArguments
{
    Run run;
    View x, weight;
    // [rows, tiles of columns].
    Candidate* candidates;
    int* y;
};

DEVICE Candidate nothing() { return {bits_to_float(0xff800000), 0x7fffffff}; }

// A product that is not finite wins, at column −1.
DEVICE Candidate candidate(float value, int column)
{
    return is_finite(value) ? Candidate{value, column} : Candidate{bits_to_float(0x7f800000), -1};
}

// The larger one, of equal ones the first: whatever the order of comparisons, the same wins.
DEVICE Candidate better(Candidate a, Candidate b)
{
    return a.value > b.value || (a.value == b.value && a.column < b.column) ? a : b;
}

DEVICE Candidate best_of_lanes(Candidate c, int lanes)
{
    for (int mask = 1; mask < lanes; mask <<= 1) c = better(c, {from_lane_xor(c.value, mask), from_lane_xor(c.column, mask)});
    return c;
}

DEVICE int tiles_of(const View& weight) { return (weight.rows + Tile - 1) / Tile; }

KERNEL(256) linear_arg_max_of_tiles(const LinearArgMaxArguments a)
{
    __shared__ ProductTiles tiles;
    __shared__ ProductTile sums;
    if (is_stopped(a.run)) return;
    int rows = rows_of(a.run, a.x), first_row = blockIdx.x * Tile, first_column = blockIdx.y * Tile;
    if (first_row >= rows) return;
    MatrixRows x = {a.x, rows, first_row}, weight = {a.weight, a.weight.rows, first_column};
    product(sums, tiles, x, weight, rows - first_row, a.x.columns);
    // Four threads share a row.
    int row = threadIdx.x / 4;
    Candidate best = nothing();
    for (int column = threadIdx.x % 4; column < least(Tile, a.weight.rows - first_column); column += 4)
        best = better(best, candidate(sums[row][column], first_column + column));
    best = best_of_lanes(best, 4);
    if (threadIdx.x % 4 == 0 && first_row + row < rows) a.candidates[(i64)(first_row + row) * tiles_of(a.weight) + blockIdx.y] = best;
}

KERNEL(256) linear_arg_max(const LinearArgMaxArguments a)
{
    __shared__ Candidate of_warps[8];
    if (is_stopped(a.run)) return;
    int row = blockIdx.x, tiles = tiles_of(a.weight);
    if (row >= rows_of(a.run, a.x)) return;
    Candidate best = nothing();
    for (int tile = threadIdx.x; tile < tiles; tile += 256) best = better(best, a.candidates[(i64)row * tiles + tile]);
    best = best_of_lanes(best, 32);
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = best;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int warp = 1; warp < 8; warp++) best = better(best, of_warps[warp]);
    a.y[row] = best.column;
}
