// LayerNorm: y = activation((x − μ)·1/√(σ² + ε)·w + b) over a row: mean, then centred variance, then one pass that normalises.
#include "common/norm.cuh"
#include "common/math.cuh"

struct LayerNormArguments
{
    Run run;
    View x, y;
    const float *weight, *bias;
    float epsilon;
    int activation;
};

template <int Threads> DEVICE void layer_norm(const LayerNormArguments& a, int row)
{
    if (row >= rows_of(a.run, a.x)) return;
    int thread = threadIdx.x % Threads, columns = columns_of(a.run, a.x);
    i64 x = at(a.x, row, 0), y = at(a.y, row, 0);
    float sum = 0, squares = 0;
    for (int c = thread; c < columns; c += Threads) sum = sum + load(a.x, x + c);
    float mean = quotient(team_sum<Threads>(sum), columns);
    for (int c = thread; c < columns; c += Threads)
    {
        float d = load(a.x, x + c) - mean;
        squares = fused(d, d, squares);
    }
    float scale = inverse_root(quotient(team_sum<Threads>(squares), columns), a.epsilon);
#pragma unroll 1
    for (int c = thread; c < columns; c += Threads)
        store(a.y, y + c, activate(fused((load(a.x, x + c) - mean) * scale, a.weight[c], a.bias[c]), a.activation));
}

KERNEL(256) layer_norm_by_warp(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<Warp>(a, row_of_warp());
}

KERNEL(256) layer_norm_by_block(const LayerNormArguments a)
{
    if (!is_stopped(a.run)) layer_norm<Block>(a, blockIdx.x);
}
