// ArgMax: the index of a row's largest element, the lowest on ties; −1 for a row that holds NaN or an infinity.
#include "common/best.cuh"

struct ArgMaxArguments
{
    Run run;
    View x, y;
};

template <int Threads> DEVICE void arg_max(const ArgMaxArguments& a, int row)
{
    if (row >= rows_of(a.run, a.x)) return;
    int columns = columns_of(a.run, a.x);
    Best best = best_of_none();
    for (int c = threadIdx.x % Threads; c < columns; c += Threads) best = Better()(best, candidate(load(a.x, at(a.x, row, c)), c));
    best = team_reduce<Threads>(best, Better());
    if (threadIdx.x % Threads == 0) ((int*)a.y.data)[row] = best.index;
}

KERNEL(256) arg_max_by_warp(const ArgMaxArguments a)
{
    if (!is_stopped(a.run)) arg_max<Warp>(a, row_of_warp());
}

KERNEL(256) arg_max_by_block(const ArgMaxArguments a)
{
    if (!is_stopped(a.run)) arg_max<Block>(a, blockIdx.x);
}
