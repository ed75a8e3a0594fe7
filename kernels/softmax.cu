// Softmax: y = e^(x − max)/Σ over a row. The exponentials are computed twice instead of kept, so that no sum is of rounded ones.
#include "common/team.cuh"
#include "common/math.cuh"

struct SoftmaxArguments
{
    Run run;
    View x, y;
};

template <int Threads> DEVICE void softmax(const SoftmaxArguments& a, int row)
{
    if (row >= rows_of(a.run, a.x)) return;
    int thread = threadIdx.x % Threads, columns = columns_of(a.run, a.x);
    i64 x = at(a.x, row, 0), y = at(a.y, row, 0);
    // NaN is no maximum, but it is in the sum.
    float max = bits_to_float(0xff800000), sum = 0;
    for (int c = thread; c < columns; c += Threads) max = larger(max, load(a.x, x + c));
    max = team_max<Threads>(max);
#pragma unroll 1
    for (int c = thread; c < columns; c += Threads) sum = sum + exponential(load(a.x, x + c) - max);
    sum = team_sum<Threads>(sum);
#pragma unroll 1
    for (int c = thread; c < columns; c += Threads) store(a.y, y + c, quotient(exponential(load(a.x, x + c) - max), sum));
}

KERNEL(256) softmax_by_warp(const SoftmaxArguments a)
{
    if (!is_stopped(a.run)) softmax<Warp>(a, row_of_warp());
}

KERNEL(256) softmax_by_block(const SoftmaxArguments a)
{
    if (!is_stopped(a.run)) softmax<Block>(a, blockIdx.x);
}
