// RmsNorm: y = x·1/√(mean x² + ε)·w over a row: normalise first, then the gain.
#include "common/norm.cuh"

struct RmsNormArguments
{
    Run run;
    View x, y;
    const float* weight;
    float epsilon;
};

template <int Threads> DEVICE void rms_norm(const RmsNormArguments& a, int row)
{
    if (row >= rows_of(a.run, a.x)) return;
    int thread = threadIdx.x % Threads, columns = columns_of(a.run, a.x);
    i64 x = at(a.x, row, 0), y = at(a.y, row, 0);
    float squares = 0;
    for (int c = thread; c < columns; c += Threads)
    {
        float value = load(a.x, x + c);
        squares = fused(value, value, squares);
    }
    float scale = inverse_root(quotient(team_sum<Threads>(squares), columns), a.epsilon);
    for (int c = thread; c < columns; c += Threads) store(a.y, y + c, load(a.x, x + c) * scale * a.weight[c]);
}

KERNEL(256) rms_norm_by_warp(const RmsNormArguments a)
{
    if (!is_stopped(a.run)) rms_norm<Warp>(a, row_of_warp());
}

KERNEL(256) rms_norm_by_block(const RmsNormArguments a)
{
    if (!is_stopped(a.run)) rms_norm<Block>(a, blockIdx.x);
}
