// LinearArgMax: where each row of x·Wᵀ, which is not stored, is largest. One kernel leaves the best of every tile's columns, the next
// chooses among those.
#pragma once
#include "best.cuh"

struct LinearArgMaxArguments
{
    Run run;
    View x, weight;
    // The best of each block's columns, [rows, candidates].
    Best* best;
    int* y;
    int candidates;
};

// The best of a row's sums in a tile, by neighbouring lanes that share the row; it is kept if the row is there.
template <int LanesOfRow> DEVICE void keep_best(const LinearArgMaxArguments& a, const float* sums, int columns, int row, int first_column)
{
    Best best = best_of_none();
    for (int column = threadIdx.x % LanesOfRow; column < least(columns, a.weight.rows - first_column); column += LanesOfRow)
        best = Better()(best, candidate(sums[column], first_column + column));
    for (int mask = LanesOfRow / 2; mask > 0; mask >>= 1) best = Better()(best, from_lane_xor(best, mask));
    if (threadIdx.x % LanesOfRow == 0 && row < rows_of(a.run, a.x)) a.best[(i64)row * a.candidates + blockIdx.y] = best;
}
